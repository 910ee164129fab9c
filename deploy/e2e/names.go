package e2e

import (
	"encoding/binary"
	"errors"
	"net"
	"net/netip"
	"strings"
)

// answerNames answers what is asked of the cluster's DNS until the socket is
// closed.
func (n *network) answerNames(socket net.PacketConn) {
	buffer := make([]byte, 4096)
	for {
		size, from, err := socket.ReadFrom(buffer)
		if err != nil {
			return // it was closed
		}
		answer, err := n.answer(buffer[:size])
		if err == nil {
			_, err = socket.WriteTo(answer, from)
		}
		if err != nil {
			n.log.Info("a question for a name was not answered", "error", err)
		}
	}
}

// answer tells the address of a name, or that there is no such name (RFC 1035,
// section 4). A name that is there has an IPv4 address and nothing else.
func (n *network) answer(question []byte) ([]byte, error) {
	const header, typeA, noSuchName = 12, 1, 3
	if len(question) < header || binary.BigEndian.Uint16(question[4:]) != 1 {
		return nil, errors.New("it is no single question")
	}
	var labels []string
	end := header
	for {
		if end >= len(question) || question[end] > 63 {
			return nil, errors.New("its name is not spelled out")
		}
		size := int(question[end])
		if end++; size == 0 {
			break
		}
		if end+size > len(question) {
			return nil, errors.New("its name is cut off")
		}
		labels = append(labels, string(question[end:end+size]))
		end += size
	}
	if end += 4; end > len(question) { // type and class
		return nil, errors.New("it does not say what is asked")
	}
	kind := binary.BigEndian.Uint16(question[end-4:])
	at, known := n.address(strings.ToLower(strings.Join(labels, ".")))
	code, answers := byte(0), byte(0)
	if !known {
		code = noSuchName
	} else if kind == typeA {
		answers = 1
	}
	// An authoritative response, recursion as desired and available.
	reply := append([]byte{question[0], question[1], 0x84 | question[2]&1, 0x80 | code, 0, 1, 0, answers, 0, 0, 0, 0}, question[header:end]...)
	if answers == 1 {
		address := at.As4()
		// the name of the question, type A, class IN, a second to live, four bytes
		reply = append(append(reply, 0xc0, header, 0, typeA, 0, 1, 0, 0, 0, 1, 0, 4), address[:]...)
	}
	return reply, nil
}

func (n *network) address(name string) (netip.Addr, bool) {
	n.mu.Lock()
	defer n.mu.Unlock()
	at, known := n.names[name]
	return at, known
}
