package repository

import (
	"bytes"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"sync"
	"time"

	"leviathan/gateway"
)

// commitInfo is what walking history needs of a commit.
type commitInfo struct {
	tree    objectID
	parents []objectID
}

// commitCache remembers commits, which never change. Its zero value is ready.
type commitCache struct {
	mu sync.RWMutex
	m  map[objectID]commitInfo
}

const maxCachedCommits = 500_000

func (c *commitCache) get(o *objects, id objectID) (commitInfo, error) {
	c.mu.RLock()
	info, ok := c.m[id]
	c.mu.RUnlock()
	if ok {
		return info, nil
	}
	raw, err := o.readTyped(id, kindCommit, 0)
	if err != nil {
		return commitInfo{}, err
	}
	if info, err = parseCommitInfo(raw); err != nil {
		return commitInfo{}, fmt.Errorf("commit %s: %w", id.hex(), err)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.m == nil || len(c.m) >= maxCachedCommits {
		c.m = make(map[objectID]commitInfo)
	}
	c.m[id] = info
	return info, nil
}

// parseCommitInfo reads the tree and parent lines that every commit begins with.
func parseCommitInfo(raw []byte) (commitInfo, error) {
	var info commitInfo
	seenTree := false
	for {
		line, rest, ok := bytes.Cut(raw, []byte{'\n'})
		if !ok {
			return info, errors.New("commit has no end of its header")
		}
		key, value, _ := bytes.Cut(line, []byte{' '})
		switch {
		case string(key) == "tree" && !seenTree:
			id, err := parseID(gateway.OID(value))
			if err != nil {
				return info, err
			}
			info.tree, seenTree = id, true
		case string(key) == "parent" && seenTree:
			id, err := parseID(gateway.OID(value))
			if err != nil {
				return info, err
			}
			info.parents = append(info.parents, id)
		case seenTree:
			return info, nil
		default:
			return info, errors.New("commit does not begin with its tree")
		}
		raw = rest
	}
}

// parseCommit reads what a checked commit says.
func parseCommit(id objectID, raw []byte) (Commit, error) {
	info, err := parseCommitInfo(raw)
	if err != nil {
		return Commit{}, err
	}
	c := Commit{ID: id.hex(), Tree: info.tree.hex()}
	for _, p := range info.parents {
		c.Parents = append(c.Parents, p.hex())
	}
	header, message, _ := strings.Cut(string(raw), "\n\n")
	c.Message = message
	for line := range strings.SplitSeq(header, "\n") {
		key, value, _ := strings.Cut(line, " ")
		switch key {
		case "author":
			c.Author, err = parseSignature(value)
		case "committer":
			c.Committer, err = parseSignature(value)
		}
		if err != nil {
			return Commit{}, fmt.Errorf("%s line: %w", key, err)
		}
	}
	return c, nil
}

// parseSignature reads "Name <email> seconds ±hhmm" as strictly as git fsck.
func parseSignature(s string) (Signature, error) {
	name, rest, ok := strings.Cut(s, "<")
	if !ok {
		return Signature{}, errors.New("no email address")
	}
	if !strings.HasSuffix(name, " ") || strings.Contains(name, ">") {
		return Signature{}, errors.New("bad name")
	}
	email, date, ok := strings.Cut(rest, ">")
	if !ok || strings.Contains(email, "<") {
		return Signature{}, errors.New("bad email address")
	}
	if !printable(name) || !printable(email) {
		return Signature{}, errors.New("name or email address is not printable UTF-8")
	}
	date, ok = strings.CutPrefix(date, " ")
	seconds, zone, ok2 := strings.Cut(date, " ")
	if !ok || !ok2 {
		return Signature{}, errors.New("no date")
	}
	if seconds == "" || len(seconds) > 1 && seconds[0] == '0' || strings.Trim(seconds, "0123456789") != "" {
		return Signature{}, errors.New("bad date")
	}
	at, err := strconv.ParseInt(seconds, 10, 64)
	if err != nil || at > maxDate {
		return Signature{}, errors.New("date overflows")
	}
	if len(zone) != 5 || zone[0] != '+' && zone[0] != '-' || strings.Trim(zone[1:], "0123456789") != "" {
		return Signature{}, errors.New("bad time zone")
	}
	hh, mm := int(zone[1]-'0')*10+int(zone[2]-'0'), int(zone[3]-'0')*10+int(zone[4]-'0')
	offset := (hh*60 + mm) * 60
	if zone[0] == '-' {
		offset = -offset
	}
	return Signature{
		Name: strings.TrimSuffix(name, " "), Email: email,
		When: time.Unix(at, 0).In(time.FixedZone(zone, offset)),
	}, nil
}

// maxDate is the last second of the year 9999: no later one has an RFC 3339 form.
const maxDate = 253402300799
