package journal

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"runtime"
	"strconv"

	"golang.org/x/mod/sumdb/note"
)

// maxLine bounds a line of an export; a body has no more.
const maxLine = maxBlob + 16<<10

// VerifyExport reads what Export wrote, compressed or not, and checks it as
// Verify does a database: records, bodies, order, tree, and the checkpoints in
// it and given. Parts and bundles are not in an export. It uses every
// processor.
func VerifyExport(ctx context.Context, r io.Reader, opts VerifyOptions) (rep Report, err error) {
	in := bufio.NewReaderSize(r, 256<<10)
	if magic, _ := in.Peek(2); bytes.Equal(magic, []byte{0x1f, 0x8b}) {
		zip, err := gzip.NewReader(in)
		if err != nil {
			return rep, fmt.Errorf("verify export: %w", err)
		}
		in = bufio.NewReaderSize(zip, 256<<10)
	}
	v := exportVerifier{in: in, chain: newChain(&rep)}
	err = v.run(ctx, opts)
	if errors.As(err, &rep.Problem) {
		err = nil
	}
	rep.Records, rep.Root = v.chain.tree.size, v.chain.tree.root()
	if err != nil {
		return rep, fmt.Errorf("verify export: %w", err)
	}
	return rep, nil
}

// An exportVerifier walks one export.
type exportVerifier struct {
	in    *bufio.Reader
	chain *chain
	size  int64
	first []byte // the first line that is no checkpoint
	torn  error  // why reading ended early
	last  []byte // the line after the records
}

func (v *exportVerifier) run(ctx context.Context, opts VerifyOptions) error {
	if err := v.chain.given(opts); err != nil {
		return err
	}
	if err := v.head(opts.Key); err != nil {
		return err
	}
	workers := make([]*exportWorker, runtime.GOMAXPROCS(0))
	for i := range workers {
		workers[i] = &exportWorker{check: rangeReader{chain: v.chain}}
	}
	if err := inOrder(ctx, workers, v.batches, v.chain.add); err != nil {
		return err
	}
	next := v.chain.tree.size + 1
	if err := v.chain.end(); err != nil {
		return err
	}
	switch {
	case v.torn != nil && !errors.Is(v.torn, io.EOF):
		return problem(next, "the export cannot be read after record %d: %v", next-1, v.torn)
	case next <= v.size || string(v.last) != fmt.Sprintf(`{"end":%d}`, v.size):
		return problem(next, "the export ends with record %d and should have %d: it was cut", next-1, v.size)
	}
	if _, err := v.in.ReadByte(); !errors.Is(err, io.EOF) {
		return problem(next, "something follows the end of the export")
	}
	return nil
}

// head reads the first line and the checkpoints.
func (v *exportVerifier) head(key note.Verifier) error {
	line, err := v.line()
	if err == nil {
		n, ok := bytes.CutPrefix(line, fmt.Appendf(nil, `{"leviathan_journal":%d,"records":`, exportVersion))
		n, ok2 := bytes.CutSuffix(n, []byte("}"))
		if v.size, err = strconv.ParseInt(string(n), 10, 64); err != nil || !ok || !ok2 {
			return problem(0, "the first line is not that of an export of version %d", exportVersion)
		}
	}
	for err == nil {
		if line, err = v.line(); err != nil {
			break
		}
		text, ok := bytes.CutPrefix(line, []byte(`{"checkpoint":`))
		if !ok {
			v.first = line
			return nil
		}
		signed, err := textOf(bytes.TrimSuffix(text, []byte("}")))
		if err != nil {
			return problem(0, "a checkpoint of the export: %v", err)
		}
		c, err := ParseCheckpoint(signed, key)
		if err != nil {
			return problem(0, "a checkpoint of the export: %v", err)
		}
		v.chain.due = append(v.chain.due, c)
	}
	return problem(1, "the export ends before its first record: it was cut")
}

// line reads a line, without its end, into memory of its own.
func (v *exportVerifier) line() ([]byte, error) {
	var out []byte
	for {
		part, err := v.in.ReadSlice('\n')
		out = append(out, part...)
		if err == nil {
			return out[:len(out)-1], nil
		}
		if !errors.Is(err, bufio.ErrBufferFull) {
			return nil, err // a line that is torn is none
		}
		if len(out) > maxLine {
			return nil, fmt.Errorf("a line is longer than %d bytes", maxLine)
		}
	}
}

// batches yields the checking of the records' lines, some at a time.
func (v *exportVerifier) batches(yield func(func(*exportWorker) segment) bool) {
	const most = 512
	next, line := int64(1), v.first
	var lines [][]byte
	for {
		isRecord := bytes.HasPrefix(line, []byte(`{"seq":`))
		if isRecord {
			lines = append(lines, line)
		}
		if len(lines) == most || !isRecord && len(lines) > 0 {
			batch, from := lines, next
			if !yield(func(w *exportWorker) segment { return w.lines(batch, from) }) {
				return
			}
			next, lines = next+int64(len(batch)), nil
		}
		if !isRecord {
			v.last = line
			return
		}
		if line, v.torn = v.line(); v.torn != nil {
			line = nil
		}
	}
}

// An exportWorker checks lines. Not safe for concurrent use.
type exportWorker struct {
	check rangeReader
	again []byte
}

func (w *exportWorker) lines(lines [][]byte, next int64) segment {
	out := segment{links: make([]link, 0, len(lines))}
	for _, line := range lines {
		c, leaf, body, err := readExported(line)
		switch w.again = appendExported(w.again[:0], &c, leaf, body); {
		case err != nil:
			out.err = problem(next, "record %d cannot be read: %v", next, err)
		case c.Seq != next:
			out.err = problem(next, "record %d is missing", next)
		case !bytes.Equal(w.again, line):
			out.err = problem(next, "the line of record %d is not what an export has: something was added to it", next)
		default:
			out.err = w.check.record(&c, leaf, body, "")
		}
		if out.err != nil {
			return out
		}
		out.links = append(out.links, w.check.chain.link(&c, leaf))
		next++
	}
	return out
}
