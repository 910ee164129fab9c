package journal

import (
	"bufio"
	"compress/gzip"
	"context"
	"encoding/hex"
	"fmt"
	"io"
	"strconv"

	"leviathan/gateway"
)

// An export is lines of JSON, each canonical (RFC 8785) but for the order of
// members, which is the one here:
//
//	{"leviathan_journal":1,"records":N}       the form's version and the number of records
//	{"checkpoint":"..."}                      each stored checkpoint, and one of all N
//	{"seq":1,"id":...,"leaf":"...","body":{}} each record, every column and its body
//	{"end":N}
//
// Parts of decisions' inputs are not in it.
const exportVersion = 1

// ExportOptions say how a log is exported.
type ExportOptions struct {
	Gzip bool
}

// Export writes every record that is committed now to w, while commits go on,
// in the form that VerifyExport reads, and returns how many.
func (j *Journal) Export(ctx context.Context, w io.Writer, o ExportOptions) (records int64, err error) {
	j.mu.RLock()
	t := j.size.clone()
	j.mu.RUnlock()
	out := bufio.NewWriterSize(w, 64<<10)
	var zip *gzip.Writer
	if o.Gzip {
		zip = gzip.NewWriter(w)
		out.Reset(zip)
	}
	if err := j.export(ctx, out, &t); err != nil {
		return 0, fmt.Errorf("export journal: %w", err)
	}
	err = out.Flush()
	if err == nil && zip != nil {
		err = zip.Close()
	}
	if err != nil {
		return 0, fmt.Errorf("export journal: %w", err)
	}
	return t.size, nil
}

func (j *Journal) export(ctx context.Context, out *bufio.Writer, t *tree) error {
	fmt.Fprintf(out, "{\"leviathan_journal\":%d,\"records\":%d}\n", exportVersion, t.size)
	last, err := sign(t, j.signer)
	if err != nil {
		return err
	}
	notes, sizes, err := j.storedCheckpoints(ctx, 0)
	if err != nil {
		return err
	}
	for i, n := range append(notes, last) {
		if i < len(sizes) && sizes[i] >= t.size {
			continue // of later records, or of all
		}
		out.Write(append(appendText([]byte(`{"checkpoint":`), string(n)), '}', '\n'))
	}
	const page = 512
	var line []byte
	for after := int64(0); after < t.size; {
		err := j.readers.read(ctx, func(db *conn) error {
			return db.query(ctx, sqlRange, []any{after, min(after+page, t.size)}, func(r row) error {
				c, leaf, err := scanColumns(r)
				if err != nil {
					return err
				}
				if after++; c.Seq != after || r[11] == nil {
					return fmt.Errorf("record %d or its body is missing: verify the journal", after)
				}
				body, err := j.codec.unpack(r.bytes(11))
				if err != nil {
					return fmt.Errorf("record %d: %w", c.Seq, err)
				}
				line = appendExported(line[:0], &c, leaf, body)
				_, err = out.Write(append(line, '\n'))
				return err
			})
		})
		if err != nil {
			return err
		}
	}
	_, err = fmt.Fprintf(out, "{\"end\":%d}\n", t.size) // tells of any write before it
	return err
}

// appendExported appends a record's line.
func appendExported(b []byte, c *columns, leaf digest, body []byte) []byte {
	b = strconv.AppendInt(append(b, `{"seq":`...), c.Seq, 10)
	b = appendText(append(b, `,"id":`...), c.ID)
	b = appendText(append(b, `,"kind":`...), string(c.Kind))
	b = appendText(append(b, `,"origin":`...), string(c.Origin))
	b = appendText(append(b, `,"type":`...), c.Type)
	b = strconv.AppendInt(append(b, `,"at":`...), c.At, 10)
	b = appendText(append(b, `,"target":`...), string(c.Target))
	b = appendText(append(b, `,"task":`...), string(c.Task))
	b = appendText(append(b, `,"attempt":`...), string(c.Attempt))
	b = hex.AppendEncode(append(b, `,"body_digest":"sha256:`...), c.BodyDigest[:])
	b = hex.AppendEncode(append(b, `","leaf":"`...), leaf[:])
	return append(append(append(b, `","body":`...), body...), '}')
}

// readExported is the opposite of appendExported. It takes a line as it is;
// that nothing else stands in it is for the caller to compare.
func readExported(line []byte) (c columns, leaf digest, body []byte, err error) {
	err = eachMember(line, func(name, value []byte) (err error) {
		text := func() (s string) {
			var b []byte
			if b, err = textOf(value); err == nil {
				s = string(b)
			}
			return s
		}
		switch string(name) {
		case "seq":
			c.Seq, err = strconv.ParseInt(string(value), 10, 64)
		case "at":
			c.At, err = strconv.ParseInt(string(value), 10, 64)
		case "id":
			c.ID = text()
		case "kind":
			c.Kind = Kind(text())
		case "origin":
			c.Origin = Origin(text())
		case "type":
			c.Type = text()
		case "target":
			c.Target = gateway.TargetID(text())
		case "task":
			c.Task = gateway.TaskID(text())
		case "attempt":
			c.Attempt = gateway.AttemptID(text())
		case "body_digest":
			if s := text(); err == nil {
				c.BodyDigest, err = parseDigest(s)
			}
		case "leaf":
			if s := text(); err == nil {
				leaf, err = parseDigest("sha256:" + s)
			}
		case "body":
			body = value
		}
		return err
	})
	return c, leaf, body, err
}
