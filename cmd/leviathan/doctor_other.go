//go:build !linux

package main

func checkFileSystem(dir string) finding {
	return topic("state").warn("the file system of "+dir+" is not known on this platform", "see that it is a local disk")
}

func checkFreeSpace(dir string) finding {
	return topic("disk").warn("the free space of "+dir+" is not known on this platform", "see that there is room for the journal")
}

func landlockABI() (int, string) {
	return 0, "this platform has no Landlock"
}
