package repository

import (
	"fmt"
	"io"
	"maps"
	"slices"

	"leviathan/gateway"
)

const (
	uploadCaps  = "multi_ack_detailed no-done side-band-64k ofs-delta shallow deepen-relative no-progress allow-tip-sha1-in-want allow-reachable-sha1-in-want"
	receiveCaps = "report-status delete-refs side-band-64k quiet ofs-delta no-thin"
)

// AdvertiseRefs writes the answer to GET info/refs?service=…, version 0, for
// git-upload-pack or git-receive-pack; another service is gateway.Invalid.
// The receive side offers delete-refs only so that a deletion reaches us and
// can be refused with a reason.
func (m *Mirror) AdvertiseRefs(w io.Writer, service string, v View) error {
	caps := ""
	switch service {
	case uploadPack:
		caps = uploadCaps
	case receivePack:
		caps = receiveCaps
	default:
		return gateway.Errorf(gateway.Invalid, "git service %q is not served", sanitize(service))
	}
	caps += " object-format=sha1 agent=" + agentName
	if err := writePkt(w, "# service=%s\n", service); err != nil {
		return fmt.Errorf("advertise refs: %w", err)
	}
	if err := writeFlush(w); err != nil {
		return fmt.Errorf("advertise refs: %w", err)
	}
	type row struct {
		name string
		id   gateway.OID
	}
	var rows []row
	if id, ok := v.Refs[v.Head]; ok && service == uploadPack {
		rows = append(rows, row{"HEAD", id})
		caps += " symref=HEAD:" + v.Head
	}
	for _, name := range slices.Sorted(maps.Keys(v.Refs)) {
		rows = append(rows, row{name, v.Refs[name]})
	}
	if len(rows) == 0 {
		rows = append(rows, row{"capabilities^{}", gateway.ZeroOID})
	}
	for i, r := range rows {
		text := fmt.Sprintf("%s %s", r.id, r.name)
		if i == 0 {
			text += "\x00" + caps
		}
		if err := writePkt(w, "%s\n", text); err != nil {
			return fmt.Errorf("advertise refs: %w", err)
		}
	}
	if err := writeFlush(w); err != nil {
		return fmt.Errorf("advertise refs: %w", err)
	}
	return nil
}
