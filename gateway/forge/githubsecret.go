package forge

// A Secret is a token or key that no printing shows: not %v, not %#v, not
// JSON, not a log, also where it stands in another struct. The zero value is
// no secret at all.
type Secret struct{ reveal func() string }

// NewSecret hides s; an empty s is no secret.
func NewSecret(s string) Secret {
	if s == "" {
		return Secret{}
	}
	return Secret{reveal: func() string { return s }}
}

// Empty reports whether there is nothing to hide.
func (s Secret) Empty() bool { return s.reveal == nil }

func (s Secret) text() string {
	if s.reveal == nil {
		return ""
	}
	return s.reveal()
}
