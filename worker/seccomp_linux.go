package worker

import (
	"errors"
	"fmt"
	"runtime"
	"unsafe"

	"golang.org/x/sys/unix"
)

// auditArch names the architectures that the filter knows. On others a
// required sandbox cannot be built.
var auditArch = map[string]uint32{
	"amd64":   unix.AUDIT_ARCH_X86_64,
	"arm64":   unix.AUDIT_ARCH_AARCH64,
	"riscv64": unix.AUDIT_ARCH_RISCV64,
}

// Where struct seccomp_data has what a filter reads. Arguments are 64 bits
// wide, little-endian on all architectures above.
const (
	dataNr   = 0
	dataArch = 4
	dataArgs = 16

	x32Bit      = 0x40000000
	msgFastOpen = 0x20000000
	typeMask    = 0xf // a socket's type without SOCK_NONBLOCK and SOCK_CLOEXEC
)

func deny(errno unix.Errno) uint32 { return unix.SECCOMP_RET_ERRNO | uint32(errno) }

// A program is a filter under construction.
type program []unix.SockFilter

func (p *program) load(offset uint32) {
	*p = append(*p, unix.SockFilter{Code: unix.BPF_LD | unix.BPF_W | unix.BPF_ABS, K: offset})
}

func (p *program) and(mask uint32) {
	*p = append(*p, unix.SockFilter{Code: unix.BPF_ALU | unix.BPF_AND | unix.BPF_K, K: mask})
}

func (p *program) ret(verdict uint32) {
	*p = append(*p, unix.SockFilter{Code: unix.BPF_RET | unix.BPF_K, K: verdict})
}

// when runs body if the loaded value compares with k as test says, and
// continues behind it otherwise.
func (p *program) when(test uint16, k uint32, body func(*program)) {
	var inner program
	body(&inner)
	*p = append(*p, unix.SockFilter{Code: unix.BPF_JMP | test | unix.BPF_K, K: k, Jf: uint8(len(inner))})
	*p = append(*p, inner...)
}

// unless is when, the other way round.
func (p *program) unless(test uint16, k uint32, body func(*program)) {
	var inner program
	body(&inner)
	*p = append(*p, unix.SockFilter{Code: unix.BPF_JMP | test | unix.BPF_K, K: k, Jt: uint8(len(inner))})
	*p = append(*p, inner...)
}

// socketFilter lets a process make only those sockets whose use Landlock
// confines. Without ports there is no internet at all.
func socketFilter(arch uint32, internet, local bool) program {
	var p program
	p.load(dataArch)
	p.unless(unix.BPF_JEQ, arch, func(p *program) { p.ret(deny(unix.ENOSYS)) })
	p.load(dataNr)
	if arch == unix.AUDIT_ARCH_X86_64 {
		p.when(unix.BPF_JGE, x32Bit, func(p *program) { p.ret(deny(unix.ENOSYS)) })
	}
	for _, nr := range []uint32{unix.SYS_IO_URING_SETUP, unix.SYS_IO_URING_ENTER, unix.SYS_IO_URING_REGISTER} {
		p.when(unix.BPF_JEQ, nr, func(p *program) { p.ret(deny(unix.ENOSYS)) })
	}
	// TCP fast open connects without the check that connect(2) has.
	for nr, flags := range map[uint32]uint32{unix.SYS_SENDTO: 3, unix.SYS_SENDMSG: 2, unix.SYS_SENDMMSG: 3} {
		p.when(unix.BPF_JEQ, nr, func(p *program) {
			p.load(dataArgs + 8*flags)
			p.when(unix.BPF_JSET, msgFastOpen, func(p *program) { p.ret(deny(unix.EOPNOTSUPP)) })
			p.ret(unix.SECCOMP_RET_ALLOW)
		})
	}
	p.unless(unix.BPF_JEQ, unix.SYS_SOCKET, func(p *program) { p.ret(unix.SECCOMP_RET_ALLOW) })
	p.load(dataArgs)
	p.when(unix.BPF_JEQ, unix.AF_NETLINK, func(p *program) { p.ret(unix.SECCOMP_RET_ALLOW) })
	if local {
		p.when(unix.BPF_JEQ, unix.AF_UNIX, func(p *program) { p.ret(unix.SECCOMP_RET_ALLOW) })
	}
	if internet {
		for _, family := range []uint32{unix.AF_INET, unix.AF_INET6} {
			p.when(unix.BPF_JEQ, family, internetSocket)
		}
	}
	p.ret(deny(unix.EACCES))
	return p
}

// internetSocket allows plain TCP and UDP. Multipath TCP and SCTP are not
// confined by Landlock's rule for ports, raw sockets by nothing.
func internetSocket(p *program) {
	p.load(dataArgs + 8)
	p.and(typeMask)
	p.when(unix.BPF_JGT, unix.SOCK_DGRAM, func(p *program) { p.ret(deny(unix.EACCES)) })
	p.load(dataArgs + 16)
	for _, protocol := range []uint32{0, unix.IPPROTO_TCP, unix.IPPROTO_UDP} {
		p.when(unix.BPF_JEQ, protocol, func(p *program) { p.ret(unix.SECCOMP_RET_ALLOW) })
	}
	p.ret(deny(unix.EPROTONOSUPPORT)) // what programs take as "use plain TCP"
}

// filterSyscalls puts the filter on this thread and on what it becomes.
func filterSyscalls(internet, local bool) error {
	arch, ok := auditArch[runtime.GOARCH]
	if !ok {
		return errors.New("there is no filter for " + runtime.GOARCH)
	}
	filter := socketFilter(arch, internet, local)
	prog := unix.SockFprog{Len: uint16(len(filter)), Filter: &filter[0]}
	if err := unix.Prctl(unix.PR_SET_SECCOMP, unix.SECCOMP_MODE_FILTER, uintptr(unsafe.Pointer(&prog)), 0, 0); err != nil {
		return fmt.Errorf("installing the filter: %w", err)
	}
	runtime.KeepAlive(filter)
	return nil
}
