package journal

import (
	"bytes"
	"encoding/json"
	"errors"
)

// Reading a decision's body as the writer made it costs a tenth of decoding
// it: the members of an object are found and their values left as they are.

var errJSON = errors.New("it is not the JSON that the journal writes")

// eachMember calls each with every member of the JSON object b, in order; name
// and value are parts of b. Of the values it checks no more than where they
// end.
func eachMember(b []byte, each func(name, value []byte) error) error {
	return whole(b, func(b []byte, i int) (int, error) {
		return members(b, i, func(name []byte, i int) (int, error) {
			return one(b, i, func(value []byte) error { return each(name, value) })
		})
	})
}

// whole calls read for the value that b is; read says where it ends.
func whole(b []byte, read func(b []byte, i int) (end int, err error)) error {
	end, err := read(b, 0)
	if err == nil && end != len(b) {
		err = errJSON
	}
	return err
}

// members calls read for every member of the JSON object that begins at i, with
// where its value begins; read says where that ends. Objects in objects are read
// in one go by reading their members in turn. It says where the object ends.
func members(b []byte, i int, read func(name []byte, i int) (end int, err error)) (int, error) {
	if i+1 >= len(b) || b[i] != '{' {
		return 0, errJSON
	}
	if i++; b[i] == '}' {
		return i + 1, nil
	}
	for {
		if i >= len(b) || b[i] != '"' {
			return 0, errJSON
		}
		colon, err := textEnd(b, i)
		if err != nil || colon >= len(b) || b[colon] != ':' {
			return 0, errJSON
		}
		end, err := read(b[i+1:colon-1], colon+1)
		if err != nil {
			return 0, err
		}
		switch {
		case end >= len(b):
			return 0, errJSON
		case b[end] == ',':
			i = end + 1
		case b[end] == '}':
			return end + 1, nil
		default:
			return 0, errJSON
		}
	}
}

// one calls each with the value that begins at i, and says where it ends.
func one(b []byte, i int, each func(value []byte) error) (int, error) {
	end, err := valueEnd(b, i)
	if err != nil {
		return 0, err
	}
	return end, each(b[i:end])
}

// eachElement calls each with every element of the JSON array b.
func eachElement(b []byte, each func(value []byte) error) error {
	if len(b) < 2 || b[0] != '[' || b[len(b)-1] != ']' {
		return errJSON
	}
	if len(b) == 2 {
		return nil
	}
	for i := 1; ; {
		end, err := valueEnd(b, i)
		if err != nil || end >= len(b) {
			return errJSON
		}
		if err := each(b[i:end]); err != nil {
			return err
		}
		switch {
		case b[end] == ',':
			i = end + 1
		case b[end] == ']' && end == len(b)-1:
			return nil
		default:
			return errJSON
		}
	}
}

// valueEnd is where the value that begins at i ends.
func valueEnd(b []byte, i int) (int, error) {
	if i >= len(b) {
		return 0, errJSON
	}
	switch b[i] {
	case '"':
		return textEnd(b, i)
	case '{', '[':
		depth := 0
		for ; i < len(b); i++ {
			switch b[i] {
			case '"':
				end, err := textEnd(b, i)
				if err != nil {
					return 0, err
				}
				i = end - 1
			case '{', '[':
				depth++
			case '}', ']':
				if depth--; depth == 0 {
					return i + 1, nil
				}
			}
		}
		return 0, errJSON
	}
	from := i
	for i < len(b) && b[i] != ',' && b[i] != '}' && b[i] != ']' {
		i++
	}
	if i == from {
		return 0, errJSON
	}
	return i, nil
}

// textEnd is where the string that begins at i ends.
func textEnd(b []byte, i int) (int, error) {
	quote := 0 // the next one that is known
	for i++; i < len(b); i++ {
		if quote < i {
			n := bytes.IndexByte(b[i:], '"')
			if n < 0 {
				break
			}
			quote = i + n
		}
		escape := bytes.IndexByte(b[i:quote], '\\')
		if escape < 0 {
			return quote + 1, nil
		}
		i += escape + 1 // of what is escaped
	}
	return 0, errJSON
}

// textOf is what a JSON string says, without its quotes; for one without
// escapes that is a part of b.
func textOf(b []byte) ([]byte, error) {
	if len(b) < 2 || b[0] != '"' {
		return nil, errJSON
	}
	for _, c := range b {
		if c == '\\' {
			var s string
			if err := json.Unmarshal(b, &s); err != nil {
				return nil, errJSON
			}
			return []byte(s), nil
		}
	}
	return b[1 : len(b)-1], nil
}
