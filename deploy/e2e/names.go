package e2e

import (
	"net"
	"net/netip"
	"strings"

	"golang.org/x/net/dns/dnsmessage"
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

// answer tells the address of a name, or that there is no such name. A name that
// is there has an IPv4 address and nothing else.
func (n *network) answer(question []byte) ([]byte, error) {
	var parser dnsmessage.Parser
	header, err := parser.Start(question)
	if err != nil {
		return nil, err
	}
	q, err := parser.Question()
	if err != nil {
		return nil, err
	}
	at, known := n.address(strings.TrimSuffix(strings.ToLower(q.Name.String()), "."))
	reply := dnsmessage.Header{ID: header.ID, Response: true, Authoritative: true, RecursionDesired: header.RecursionDesired, RecursionAvailable: true}
	if !known {
		reply.RCode = dnsmessage.RCodeNameError
	}
	b := dnsmessage.NewBuilder(nil, reply)
	if err := b.StartQuestions(); err != nil {
		return nil, err
	}
	if err := b.Question(q); err != nil {
		return nil, err
	}
	if err := b.StartAnswers(); err != nil {
		return nil, err
	}
	if known && q.Type == dnsmessage.TypeA {
		if err := b.AResource(dnsmessage.ResourceHeader{Name: q.Name, Class: dnsmessage.ClassINET, TTL: 1}, dnsmessage.AResource{A: at.As4()}); err != nil {
			return nil, err
		}
	}
	return b.Finish()
}

func (n *network) address(name string) (netip.Addr, bool) {
	n.mu.Lock()
	defer n.mu.Unlock()
	at, known := n.names[name]
	return at, known
}
