package autonomy

import (
	"fmt"
	"maps"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"leviathan/gateway"
	"leviathan/gateway/strictyaml"
)

// A Second is the same configs as a second source has them, which may know of
// an edit before the files do: in a cluster, the ConfigMap that is mounted.
type Second struct {
	// Source names it in reasons and in the status.
	Source string
	// Known is false until it was seen once; until then only the files govern.
	Known bool
	// Files are the texts by file name; nil if the source has none at all any
	// more.
	Files map[string]string
	// ObservedAt is when it was last known to be so.
	ObservedAt time.Time
	// Problem says why it may have changed since; empty if it is followed.
	Problem string
}

// second is a Second that was read.
type second struct {
	Second
	names []string // of Files that are configs, in order
	read  map[string]opinion
	since time.Time // it says so
}

// An opinion is one text of the second source.
type opinion struct {
	id     gateway.TargetID
	config *Config // nil if the text has errors
	diags  []gateway.Diagnostic
}

// Observe takes what a second source has now. It can only restrict: a target
// is off if either the file or the second source says so, has errors, or does
// not name the target; everything else is what the file says. So an edit that
// switches off acts as soon as either shows it, and one that switches on when
// both do. What was seen last holds until something else is seen, also when
// the source can no longer be reached: its Problem is for the status, and turns
// nothing off by itself.
func (s *Set) Observe(o Second) {
	s.mu.Lock()
	defer s.mu.Unlock()
	was := s.second
	if was != nil && was.Known == o.Known && (was.Files == nil) == (o.Files == nil) && maps.Equal(was.Files, o.Files) {
		was.Second = o
		return
	}
	next := &second{Second: o, read: map[string]opinion{}, since: s.now()}
	for _, name := range slices.Sorted(maps.Keys(o.Files)) {
		if !configName(name) {
			continue
		}
		config, id, diags := parse(o.Source+": "+name, []byte(o.Files[name]))
		next.names = append(next.names, name)
		next.read[name] = opinion{id: id, config: config, diags: diags}
	}
	s.second = next
}

// Seconded is what was last seen of the second source, without its Files; ok is
// false when there is none.
func (s *Set) Seconded() (_ Second, ok bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.second == nil {
		return Second{}, false
	}
	o := s.second.Second
	o.Files = nil
	return o, true
}

// configName reports whether a file of this name is a config.
func configName(name string) bool {
	ext := filepath.Ext(name)
	return !strings.HasPrefix(name, ".") && (ext == ".yaml" || ext == ".yml")
}

// A restricted state is what the second source made of what a file said.
type restricted struct {
	by   *second
	of   State
	made State
}

// restrict is the entry's state with the second source's word. It is made anew
// when either changed. Callers hold mu.
func (s *Set) restrict(e *entry, now time.Time) State {
	state, was := e.state(now), e.restricted
	if s.second == nil || !s.second.Known || state.ID == "" {
		return state
	}
	if was.by == s.second && was.of.same(e.current) {
		was.made.ObservedAt = now
		return was.made
	}
	made := s.second.over(state)
	if !made.Valid && was.by != nil && !was.made.Valid && was.made.InvalidSince.Before(made.InvalidSince) {
		made.InvalidSince = was.made.InvalidSince
	}
	e.restricted = restricted{by: s.second, of: e.current, made: made}
	if made.Enabled != state.Enabled || made.Valid != state.Valid {
		s.log.Warn("autonomy config: the second source restricts the file", "target", made.ID, "valid", made.Valid, "enabled", made.Enabled, "reason", made.Reason)
	}
	return made
}

// over lays the second source's word over what the file says.
func (o *second) over(state State) State {
	named, diags, off := false, []gateway.Diagnostic{}, ""
	for _, name := range o.names {
		is := o.read[name]
		mine := is.config != nil && is.id == state.ID
		if !mine && is.id != state.ID && (is.config != nil || path.Base(name) != filepath.Base(state.File)) {
			continue // another target's
		}
		switch {
		case is.config == nil:
			diags = append(diags, is.diags...)
		case named:
			diags = append(diags, gateway.Diagnostic{File: o.Source + ": " + name, Message: "the same target_id " + strictyaml.Show(string(state.ID)) + " as in another file"})
		case !is.config.AutonomyEnabled:
			named = true
			off = gateway.Diagnostic{File: o.Source + ": " + name, Line: is.config.switchLine, Col: is.config.switchCol, Message: "autonomy_enabled is false"}.String()
		default:
			named = true
		}
	}
	if !named && len(diags) == 0 {
		diags = append(diags, gateway.Diagnostic{File: o.Source, Message: fmt.Sprintf("nothing in it names the target %s", strictyaml.Show(string(state.ID)))})
	}
	if len(diags) == 0 && off != "" && state.Enabled {
		config, err := state.Config.switchedOff()
		if err == nil {
			state.Enabled, state.Reason, state.Config, state.Digest = false, off, config, config.Digest
			return state
		}
		diags = append(diags, gateway.Diagnostic{File: o.Source, Message: err.Error()})
	}
	if len(diags) > 0 {
		state.Diagnostics = append(slices.Clone(state.Diagnostics), diags...)
		if state.Valid {
			state.Reason, state.InvalidSince = firstError(diags), o.since
		}
		state.Valid, state.Enabled = false, false
	}
	return state
}

// switchedOff is the config with the switch off, and all else as it is.
func (c *Config) switchedOff() (_ *Config, err error) {
	off := *c
	off.AutonomyEnabled = false
	off.Digest, err = off.digest()
	return &off, err
}
