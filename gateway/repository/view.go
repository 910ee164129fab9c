package repository

import (
	"time"

	"leviathan/gateway"
)

// Refs maps full ref names to object ids.
type Refs map[string]gateway.OID

// A View is what one client may see and where it may write.
type View struct {
	// Refs are the refs that are advertised. Their objects must be in the
	// mirror. Nothing else can be fetched but what they reach.
	Refs Refs
	// Head is the ref that HEAD points at, a key of Refs; "" for none.
	Head string
	// Push is the one ref that may be written; "" is read-only. It is told
	// to nobody: the caller compares it with Push.Ref.
	Push string
}

// Served says what one upload-pack request cost.
type Served struct {
	// Wants are the commits that the client asked for.
	Wants []gateway.OID
	// Depth is the depth that the client asked for; 0 for all history.
	Depth int
	// Objects and Bytes are those of the pack that was sent; both are 0
	// for a round of negotiation that sent none.
	Objects int
	Bytes   int64
	// Cached reports that a finished pack was sent again.
	Cached bool
}

// A Signature says who made a commit, and when.
type Signature struct {
	Name  string
	Email string
	When  time.Time
}

// A Commit is what a commit object says.
type Commit struct {
	ID        gateway.OID
	Tree      gateway.OID
	Parents   []gateway.OID
	Author    Signature
	Committer Signature
	Message   string
}
