package autonomy

import (
	"context"
	"crypto/sha256"
	"log/slog"
	"time"

	"leviathan/gateway"
)

// An entry is one config file and what was last seen of it.
type entry struct {
	file  string
	seen  bool
	stamp stamp
	sum   [sha256.Size]byte // of the content that was parsed last

	parsed *Config // of the content as it stands; nil if it has errors
	config *Config // the last valid one
	id     gateway.TargetID
	diags  []gateway.Diagnostic

	current State // all but ObservedAt

	restricted restricted // current, as the second source restricts it
}

// gone reports whether there is no file.
func (e *entry) gone() bool { return e.seen && e.stamp.unavailable == goneCause }

// state is the entry as it stands.
func (e *entry) state(now time.Time) State {
	s := e.current
	s.ObservedAt = now
	return s
}

// refresh reads the file again if it changed, or may have, and reports
// whether it means something else now. With closely it also looks where the
// path's links lead.
func (e *entry) refresh(now time.Time, closely bool) bool {
	at := stampOf(e.file)
	if closely {
		at.resolve(e.file)
	} else {
		at.resolved = e.stamp.resolved
	}
	if e.seen && at == e.stamp && (at.settled(now) || at.unavailable != "") {
		return false
	}
	if at.unavailable != "" {
		e.become(at, nil, "", []gateway.Diagnostic{{File: e.file, Message: at.unavailable}})
		e.sum = [sha256.Size]byte{}
		return true
	}
	data, err := readFile(e.file)
	if err != nil {
		// Without a stamp the next look reads it again.
		changed := !e.seen || e.stamp.unavailable != cause(err)
		at = stamp{unavailable: cause(err)}
		e.become(at, nil, "", []gateway.Diagnostic{{File: e.file, Message: at.unavailable}})
		e.sum = [sha256.Size]byte{}
		e.seen = true
		return changed
	}
	sum := sha256.Sum256(data)
	wasReadable := e.seen && e.stamp.unavailable == ""
	e.stamp = at
	if wasReadable && sum == e.sum {
		return false
	}
	cfg, id, diags := parse(e.file, data)
	e.become(at, cfg, id, diags)
	e.sum = sum
	return true
}

// become takes what the file says now. A file that is invalid keeps the id of
// its last valid content: a half-written one may show another.
func (e *entry) become(at stamp, cfg *Config, id gateway.TargetID, diags []gateway.Diagnostic) {
	e.seen, e.stamp, e.parsed, e.diags = true, at, cfg, diags
	switch {
	case cfg != nil:
		e.config, e.id = cfg, cfg.TargetID
	case e.config == nil && id != "":
		e.id = id
	}
}

// settle computes the state, with a contradiction to another file if there
// is one, and logs it when it changed.
func (e *entry) settle(conflict string, now time.Time, log *slog.Logger) {
	old := e.current
	s := State{ID: e.id, File: e.file, Config: e.config, Diagnostics: e.diags}
	if e.config != nil {
		s.Digest = e.config.Digest
	}
	if conflict != "" {
		clash := gateway.Diagnostic{File: e.file, Message: conflict}
		s.Diagnostics = append(append([]gateway.Diagnostic{}, e.diags...), clash)
	}
	s.Valid = e.parsed != nil && conflict == ""
	s.Enabled = s.Valid && e.parsed.AutonomyEnabled
	switch {
	case !s.Valid:
		s.Reason = firstError(s.Diagnostics)
		s.InvalidSince = now
		if !old.InvalidSince.IsZero() {
			s.InvalidSince = old.InvalidSince
		}
	case !s.Enabled:
		s.Reason = gateway.Diagnostic{File: e.file, Line: e.parsed.switchLine, Col: e.parsed.switchCol, Message: "autonomy_enabled is false"}.String()
	}
	e.current = s
	if s.same(old) {
		return
	}
	level := slog.LevelInfo
	if !s.Valid {
		level = slog.LevelWarn
	}
	log.Log(context.Background(), level, "autonomy config", "target", s.ID, "file", s.File, "valid", s.Valid, "enabled", s.Enabled, "reason", s.Reason, "digest", s.Digest)
}

func firstError(diags []gateway.Diagnostic) string {
	for _, d := range diags {
		if !d.Warning {
			return d.String()
		}
	}
	return ""
}
