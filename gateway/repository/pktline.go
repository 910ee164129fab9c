package repository

import (
	"bufio"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"strings"
	"unicode"
	"unicode/utf8"

	"leviathan/gateway"
)

// The special packets of git's pkt-line framing.
type pktKind int

const (
	pktData pktKind = iota
	pktFlush
	pktOther // delimiter and response end, which version 0 does not have
)

const (
	maxPkt      = 65520       // with its four digits of length
	maxSideband = maxPkt - 5  // payload of one side-band-64k packet
	agentName   = "leviathan" // told to clients and to the upstream
)

var errPkt = errors.New("malformed pkt-line")

// A pktReader reads pkt-lines. The slice that next returns is valid until the
// following call.
type pktReader struct {
	r   *bufio.Reader
	buf []byte
}

func newPktReader(r io.Reader) *pktReader { return &pktReader{r: bufio.NewReaderSize(r, 32<<10)} }

// next is the next packet; io.EOF only where no byte of one has come.
func (p *pktReader) next() (pktKind, []byte, error) {
	var head [4]byte
	if _, err := io.ReadFull(p.r, head[:]); err != nil {
		return 0, nil, err
	}
	n := 0
	for _, c := range head {
		switch {
		case c >= '0' && c <= '9':
			n = n<<4 | int(c-'0')
		case c >= 'a' && c <= 'f':
			n = n<<4 | int(c-'a'+10)
		case c >= 'A' && c <= 'F':
			n = n<<4 | int(c-'A'+10)
		default:
			return 0, nil, errPkt
		}
	}
	switch {
	case n == 0:
		return pktFlush, nil, nil
	case n < 4:
		return pktOther, nil, nil
	case n > maxPkt:
		return 0, nil, errPkt
	}
	if cap(p.buf) < n {
		p.buf = make([]byte, maxPkt)
	}
	b := p.buf[:n-4]
	if _, err := io.ReadFull(p.r, b); err != nil {
		return 0, nil, noEOF(err)
	}
	return pktData, b, nil
}

// line is next as text without its newline.
func (p *pktReader) line() (pktKind, string, error) {
	k, b, err := p.next()
	return k, strings.TrimSuffix(string(b), "\n"), err
}

// writePkt writes one data packet.
func writePkt(w io.Writer, format string, args ...any) error {
	s := fmt.Sprintf(format, args...)
	if len(s) > maxPkt-4 {
		return errors.New("packet is too long")
	}
	_, err := fmt.Fprintf(w, "%04x%s", len(s)+4, s)
	return err
}

func writeFlush(w io.Writer) error {
	_, err := io.WriteString(w, "0000")
	return err
}

// The channels of a side-band.
const (
	bandData     = 1
	bandProgress = 2
	bandError    = 3
)

// A bandWriter cuts what is written into side-band-64k packets.
type bandWriter struct {
	w    io.Writer
	band byte
}

func (b bandWriter) Write(p []byte) (int, error) {
	done := 0
	for len(p) > 0 {
		chunk := p[:min(len(p), maxSideband)]
		head := fmt.Appendf(nil, "%04x%c", len(chunk)+5, b.band)
		if _, err := b.w.Write(head); err != nil {
			return done, err
		}
		n, err := b.w.Write(chunk)
		done += n
		if err != nil {
			return done, err
		}
		p = p[len(chunk):]
	}
	return done, nil
}

// A bandReader is the data channel of a side-band; it hands progress and
// errors to say, and ends at the flush.
type bandReader struct {
	p     *pktReader
	say   func(band byte, text string)
	rest  []byte
	ended bool
}

func (b *bandReader) Read(out []byte) (int, error) {
	for len(b.rest) == 0 {
		if b.ended {
			return 0, io.EOF
		}
		kind, data, err := b.p.next()
		if err != nil {
			return 0, noEOF(err)
		}
		if kind == pktFlush {
			b.ended = true
			continue
		}
		if kind != pktData || len(data) == 0 {
			return 0, errPkt
		}
		switch data[0] {
		case bandData:
			b.rest = data[1:]
		case bandProgress:
			b.say(bandProgress, string(data[1:]))
		case bandError:
			b.say(bandError, string(data[1:]))
			return 0, fmt.Errorf("the remote reports: %s", sanitize(string(data[1:])))
		default:
			return 0, errPkt
		}
	}
	n := copy(out, b.rest)
	b.rest = b.rest[n:]
	return n, nil
}

const maxRemoteLine = 200

// sanitize makes one harmless line of at most 200 characters of any text.
func sanitize(s string) string {
	var b strings.Builder
	n := 0
	for _, r := range strings.TrimSpace(s) {
		if n++; n > maxRemoteLine-1 {
			b.WriteRune('…')
			break
		}
		switch {
		case unicode.IsSpace(r):
			r = ' '
		case r == utf8.RuneError || !unicode.IsPrint(r):
			r = '?'
		}
		b.WriteRune(r)
	}
	return b.String()
}

// printable reports valid UTF-8 without control or format characters that
// reorder or hide text.
func printable(s string) bool {
	if !utf8.ValidString(s) {
		return false
	}
	for _, r := range s {
		if unicode.IsControl(r) || r == '\u2028' || r == '\u2029' || unicode.Is(unicode.Bidi_Control, r) {
			return false
		}
	}
	return true
}

// Body undoes the Content-Encoding of a git request: "" and "identity" leave
// it, "gzip" and "x-gzip" are unpacked, others are gateway.Invalid. Reading
// more than limit unpacked bytes fails with gateway.TooLarge, so that a small
// request cannot become a large one.
func Body(r io.Reader, encoding string, limit int64) (io.Reader, error) {
	switch strings.ToLower(strings.TrimSpace(encoding)) {
	case "", "identity":
	case "gzip", "x-gzip":
		z, err := gzip.NewReader(r)
		if err != nil {
			return nil, gateway.Errorf(gateway.Invalid, "request body is not gzip: %v", err)
		}
		r = z
	default:
		return nil, gateway.Errorf(gateway.Invalid, "content encoding %q is not supported", encoding)
	}
	return &cappedReader{r: r, left: limit, limit: limit}, nil
}

type cappedReader struct {
	r           io.Reader
	left, limit int64
}

func (c *cappedReader) Read(p []byte) (int, error) {
	if c.left < 0 {
		return 0, gateway.Errorf(gateway.TooLarge, "request body is over %d bytes", c.limit)
	}
	if int64(len(p)) > c.left+1 {
		p = p[:c.left+1]
	}
	n, err := c.r.Read(p)
	if c.left -= int64(n); c.left < 0 {
		return n - 1, gateway.Errorf(gateway.TooLarge, "request body is over %d bytes", c.limit)
	}
	return n, err
}
