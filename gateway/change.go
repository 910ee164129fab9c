package gateway

// An Op is what a change does to a path.
type Op string

// The operations. A rename is a delete and an add.
const (
	Add    Op = "add"
	Modify Op = "modify"
	Delete Op = "delete"
)

// A Change is one path that differs between two trees, exactly as the trees
// have it: no renames are guessed and no path is normalised.
type Change struct {
	Path string `json:"path"`
	Op   Op     `json:"op"`
	// OldMode and NewMode are git's modes as six octal digits ("100644",
	// "100755", "120000", "160000"); empty where the side does not exist.
	OldMode string `json:"old_mode,omitempty"`
	NewMode string `json:"new_mode,omitempty"`
	OldID   OID    `json:"old_id,omitempty"`
	NewID   OID    `json:"new_id,omitempty"`
	// Size is the new content's length in bytes; 0 for a delete or a gitlink.
	Size int64 `json:"size"`
	// Binary reports a NUL in the new content's first 8,000 bytes.
	Binary bool `json:"binary,omitempty"`
	// LinkTarget is the new content of a symbolic link, at most 4,096 bytes.
	LinkTarget string `json:"link_target,omitempty"`
}
