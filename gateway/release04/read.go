package release04

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"iter"

	"leviathan/gateway"
)

// maxLine bounds one event.
const maxLine = 16 << 20

// A Problem is what is wrong with a journal, and in which line of it.
type Problem struct {
	Line int
	What string
}

func (p *Problem) Error() string { return fmt.Sprintf("line %d: %s", p.Line, p.What) }

// An Entry is one line of a journal whose hash is right, and follows the one before.
type Entry struct {
	Line  int
	Event gateway.Event
	Hash  string
	// First says that the chain begins here: there is no hash before.
	First bool
}

// Read reads a journal line by line and checks each: that its hash is the one of
// what stands in it, and that it names the hash of the line before. The first
// line may go on from an earlier file. Blank lines count for nothing. The
// sequence ends after its first error, a *Problem for what the journal has
// wrong. Floats are compared as Python wrote them.
func Read(r io.Reader) iter.Seq2[Entry, error] {
	return func(yield func(Entry, error) bool) {
		lines := bufio.NewScanner(r)
		lines.Buffer(make([]byte, 0, 64<<10), maxLine)
		previous := ""
		n := 0
		for lines.Scan() {
			n++
			text := bytes.TrimSpace(lines.Bytes())
			if len(text) == 0 {
				continue
			}
			entry, err := read(n, text, previous)
			if err != nil {
				yield(Entry{}, err)
				return
			}
			previous = entry.Hash
			if !yield(entry, nil) {
				return
			}
		}
		switch err := lines.Err(); {
		case errors.Is(err, bufio.ErrTooLong):
			yield(Entry{}, &Problem{Line: n + 1, What: fmt.Sprintf("the line is over %d bytes", maxLine)})
		case err != nil:
			yield(Entry{}, fmt.Errorf("read journal: %w", err))
		}
	}
}

// read checks one line; previous is the hash of the line before, "" for the
// first one.
func read(n int, text []byte, previous string) (Entry, error) {
	wrong := func(format string, args ...any) (Entry, error) {
		return Entry{}, &Problem{Line: n, What: fmt.Sprintf(format, args...)}
	}
	d := json.NewDecoder(bytes.NewReader(text))
	d.UseNumber()
	var doc map[string]any
	if err := d.Decode(&doc); err != nil {
		return wrong("it is no JSON object: %v", err)
	}
	if _, err := d.Token(); !errors.Is(err, io.EOF) {
		return wrong("more than one document stands in it")
	}
	var event gateway.Event
	hashed := map[string]any{}
	for _, name := range []string{"actor_id", "event_id", "event_type", "payload", "prev_hash", "timestamp"} {
		hashed[name] = doc[name] // what is missing was null
	}
	var ok bool
	if event.EventID, ok = doc["event_id"].(string); !ok || event.EventID == "" {
		return wrong("event_id is no text")
	}
	if event.EventType, ok = doc["event_type"].(string); !ok || event.EventType == "" {
		return wrong("event_type is no text")
	}
	stamp, ok := doc["timestamp"].(string)
	if !ok {
		return wrong("timestamp is no text")
	}
	iso, at, err := isoformat(stamp)
	if err != nil {
		return wrong("timestamp: %v", err)
	}
	hashed["timestamp"], event.Timestamp = iso, gateway.At(at)
	event.ActorID, _ = doc["actor_id"].(string)
	before, _ := doc["prev_hash"].(string)
	if previous != "" && before != previous {
		return wrong("it follows %s, and the line before is %s: a line was removed, added or moved here", orNothing(before), previous)
	}
	var canon bytes.Buffer
	if err := canonical(&canon, hashed); err != nil {
		return wrong("%v", err)
	}
	sum := sha256.Sum256(canon.Bytes())
	entry := Entry{Line: n, Event: event, Hash: hex.EncodeToString(sum[:]), First: before == ""}
	if said, _ := doc["hash"].(string); said != entry.Hash {
		return wrong("its hash is %s, and it says %s: what stands in it was changed", entry.Hash, orNothing(said))
	}
	if entry.Event.Payload, err = json.Marshal(doc["payload"]); err != nil {
		return wrong("payload: %v", err)
	}
	return entry, nil
}

func orNothing(hash string) string {
	if hash == "" {
		return "nothing"
	}
	return hash
}
