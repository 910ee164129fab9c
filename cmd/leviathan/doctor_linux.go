package main

import (
	"fmt"

	"golang.org/x/sys/unix"
)

// networkFileSystems are those on which SQLite's locks and write-ahead log do
// not hold, by the magic number that statfs gives.
var networkFileSystems = map[uint32]string{
	0x6969:     "NFS",
	0x517b:     "SMB",
	0xfe534d42: "SMB 2",
	0xff534d42: "CIFS",
	0x5346414f: "AFS",
	0x73757245: "Coda",
	0x01021997: "9P",
	0x00c36400: "Ceph",
	0x0bd00bd0: "Lustre",
	0x7461636f: "OCFS2",
	0x01161970: "GFS2",
	0x47504653: "GPFS",
	0x786f4256: "VirtualBox shared folders",
}

// fuse may be local or not: the kernel does not say.
const fuse = 0x65735546

func checkFileSystem(dir string) finding {
	const check topic = "state"
	const remedy = "keep the state folder on a local disk: on a network file system a crash can lose or tear the journal"
	var at unix.Statfs_t
	if err := unix.Statfs(dir, &at); err != nil {
		return check.fail(fmt.Sprintf("asking for the file system of %s: %v", dir, err), remedy)
	}
	magic := uint32(at.Type)
	if name, is := networkFileSystems[magic]; is {
		return check.fail(fmt.Sprintf("%s is on %s, a network file system", dir, name), remedy)
	}
	if magic == fuse {
		return check.warn(dir+" is on a FUSE file system, which may be a network's", remedy)
	}
	return check.ok("%s is on a local file system", dir)
}

func checkFreeSpace(dir string) finding {
	const check topic = "disk"
	const remedy = "make room: a gateway that cannot write its journal answers no question"
	var at unix.Statfs_t
	if err := unix.Statfs(dir, &at); err != nil {
		return check.fail(fmt.Sprintf("asking for the free space of %s: %v", dir, err), remedy)
	}
	free := at.Bavail * uint64(at.Bsize)
	detail := fmt.Sprintf("%s has %d MiB free", dir, free>>20)
	switch {
	case free < diskFail:
		return check.fail(detail, remedy)
	case free < diskWarn:
		return check.warn(detail, remedy)
	}
	return check.ok("%s", detail)
}

// landlockABI is the kernel's Landlock interface; 0 with the reason when it
// has none.
func landlockABI() (int, string) {
	abi, _, errno := unix.Syscall(unix.SYS_LANDLOCK_CREATE_RULESET, 0, 0, unix.LANDLOCK_CREATE_RULESET_VERSION)
	switch errno {
	case 0:
		return int(abi), ""
	case unix.ENOSYS:
		return 0, "this kernel was built without Landlock"
	case unix.EOPNOTSUPP:
		return 0, "Landlock is disabled on this machine"
	}
	return 0, "asking for Landlock: " + errno.Error()
}
