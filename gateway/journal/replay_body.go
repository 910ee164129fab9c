package journal

import (
	"bytes"
	"encoding/json"
	"errors"
)

// body reads a decision's body as Record.encode and NewBody write it. One that
// a caller wrote with white space is read as well.
func (r *decisionReader) body(d *StoredDecision, b []byte) error {
	start := *d
	err := r.whole(d, b)
	if errors.Is(err, errJSON) {
		var compact bytes.Buffer
		if json.Compact(&compact, b) == nil {
			*d = start
			err = r.whole(d, compact.Bytes())
		}
	}
	return err
}

func (r *decisionReader) whole(d *StoredDecision, b []byte) error {
	return whole(b, func(b []byte, i int) (int, error) {
		return members(b, i, func(name []byte, i int) (int, error) {
			switch string(name) {
			case "index":
				return r.index(d, b, i)
			case "body":
				return r.inner(d, b, i)
			}
			return valueEnd(b, i)
		})
	})
}

// index reads what a DecisionIndex wrote.
func (r *decisionReader) index(d *StoredDecision, b []byte, i int) (int, error) {
	return members(b, i, func(name []byte, i int) (int, error) {
		return one(b, i, func(value []byte) (err error) {
			switch string(name) {
			case "allow":
				d.Allow = string(value) == "true"
			case "dry_run":
				d.DryRun = string(value) == "true"
			case "masked":
				r.masked(d, value)
			case "asked_by":
				d.AskedBy, err = r.text(value)
			case "policy_digest":
				d.PolicyDigest, err = r.text(value)
			case "revision":
				d.Revision, err = r.text(value)
			case "codes":
				d.Codes, err = r.list(value)
			}
			return err
		})
	})
}

// inner reads what a DecisionBody has.
func (r *decisionReader) inner(d *StoredDecision, b []byte, i int) (int, error) {
	return members(b, i, func(name []byte, i int) (int, error) {
		switch string(name) {
		case "decision":
			return r.header(d, b, i)
		case "inline":
			return r.partsOf(d, b, i, func(p *StoredPart, value []byte) error {
				p.JSON = value
				return nil
			})
		case "parts":
			return r.partsOf(d, b, i, func(p *StoredPart, value []byte) (err error) {
				p.Digest, err = r.text(value)
				return err
			})
		}
		return one(b, i, func(value []byte) (err error) {
			switch string(name) {
			case "result":
				d.Result = value
			case "result_digest":
				var digest string
				digest, err = r.text(value)
				d.Result = []byte(resultAt + digest)
			case "masked":
				r.masked(d, value)
			case "erased":
				d.Erased, err = r.list(value)
			}
			return err
		})
	})
}

// header reads what a DecisionHead has.
func (r *decisionReader) header(d *StoredDecision, b []byte, i int) (int, error) {
	return members(b, i, func(name []byte, i int) (int, error) {
		return one(b, i, func(value []byte) (err error) {
			if string(name) == "input_digest" {
				d.InputDigest, err = plainText(value)
			}
			return err
		})
	})
}

func (r *decisionReader) masked(d *StoredDecision, value []byte) {
	if string(value) == "true" {
		d.Replayable, d.Why = false, WhyMasked
	}
}

// partsOf adds a part for each member of the object at i.
func (r *decisionReader) partsOf(d *StoredDecision, b []byte, i int, fill func(*StoredPart, []byte) error) (int, error) {
	if i < len(b) && b[i] == 'n' { // null
		return valueEnd(b, i)
	}
	if d.Parts == nil {
		d.Parts = make([]StoredPart, 0, r.most)
	}
	end, err := members(b, i, func(name []byte, i int) (int, error) {
		return one(b, i, func(value []byte) error {
			p := StoredPart{Name: r.kept(name)}
			if err := fill(&p, value); err != nil {
				return err
			}
			d.Parts = append(d.Parts, p)
			return nil
		})
	})
	r.most = max(r.most, len(d.Parts))
	return end, err
}

// list reads an array of strings.
func (r *decisionReader) list(b []byte) (out []string, err error) {
	err = eachElement(b, func(value []byte) error {
		s, err := r.text(value)
		out = append(out, s)
		return err
	})
	return out, err
}

// text reads a string that other decisions have as well.
func (r *decisionReader) text(b []byte) (string, error) {
	t, err := textOf(b)
	if err != nil {
		return "", err
	}
	return r.kept(t), nil
}

// plainText reads a string that is this decision's own.
func plainText(b []byte) (string, error) {
	t, err := textOf(b)
	return string(t), err
}

// textsKept bounds the strings that one reading of the decisions keeps.
const textsKept = 4096

func (r *decisionReader) kept(b []byte) string {
	if s, ok := r.texts[string(b)]; ok {
		return s
	}
	if len(r.texts) >= textsKept {
		clear(r.texts)
	}
	s := string(b)
	r.texts[s] = s
	return s
}
