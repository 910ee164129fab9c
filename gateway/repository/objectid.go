package repository

import (
	"crypto"
	"encoding/hex"
	"hash"
	"strconv"

	githash "github.com/go-git/go-git/v5/plumbing/hash"

	"leviathan/gateway"
)

// objectID is a SHA-1 object id in binary.
type objectID [20]byte

// hex is the wire form.
func (i objectID) hex() gateway.OID { return gateway.OID(hex.EncodeToString(i[:])) }

func (i objectID) isZero() bool { return i == objectID{} }

// parseID reads a full lower-case id.
func parseID(o gateway.OID) (objectID, error) {
	var out objectID
	if !o.Valid() {
		return out, gateway.Errorf(gateway.Invalid, "object id %q is not 40 lower-case hex digits", string(o))
	}
	if _, err := hex.Decode(out[:], []byte(o)); err != nil {
		return out, gateway.Errorf(gateway.Invalid, "object id %q: %v", string(o), err)
	}
	return out, nil
}

// The object types, with git's numbers in packs.
type objectKind byte

const (
	kindCommit   objectKind = 1
	kindTree     objectKind = 2
	kindBlob     objectKind = 3
	kindTag      objectKind = 4
	kindOfsDelta objectKind = 6
	kindRefDelta objectKind = 7
)

func (k objectKind) String() string {
	switch k {
	case kindCommit:
		return "commit"
	case kindTree:
		return "tree"
	case kindBlob:
		return "blob"
	case kindTag:
		return "tag"
	case kindOfsDelta, kindRefDelta:
		return "delta"
	}
	return "unknown type " + strconv.Itoa(int(k))
}

func (k objectKind) isDelta() bool { return k == kindOfsDelta || k == kindRefDelta }

// newObjectHash begins the hash of an object. It detects SHA-1 collision
// attacks: a crafted object gets another id than the one it imitates.
func newObjectHash(k objectKind, size int64) hash.Hash {
	h := githash.New(crypto.SHA1)
	b := append([]byte(k.String()), ' ')
	b = strconv.AppendInt(b, size, 10)
	h.Write(append(b, 0))
	return h
}

func hashObject(k objectKind, content []byte) objectID {
	h := newObjectHash(k, int64(len(content)))
	h.Write(content)
	return objectID(h.Sum(nil))
}
