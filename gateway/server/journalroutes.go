package server

import (
	"encoding/base64"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strconv"

	"github.com/oklog/ulid/v2"

	"leviathan/gateway"
	"leviathan/gateway/journal"
)

// number reads a query parameter that must be a whole number from least on.
func number(r *http.Request, name string, least int64) (int64, error) {
	n, err := strconv.ParseInt(r.URL.Query().Get(name), 10, 64)
	if err != nil || n < least {
		return 0, &gateway.Error{Kind: gateway.Invalid, Field: name, Detail: fmt.Sprintf("%s is a whole number from %d on", name, least)}
	}
	return n, nil
}

// inclusionProof proves that a record is in the tree of so many records.
func (s *Server) inclusionProof(w http.ResponseWriter, r *http.Request, _ principal) error {
	seq, err := number(r, "seq", 1)
	if err != nil {
		return err
	}
	size, err := number(r, "size", 1)
	if err != nil {
		return err
	}
	hashes, err := s.journal.InclusionProof(r.Context(), seq, size)
	if err != nil {
		return err
	}
	return writeJSON(w, http.StatusOK, gateway.Proof{Seq: seq, Size: size, Hashes: inBase64(hashes)})
}

// consistencyProof proves that a smaller tree is the beginning of a larger one.
func (s *Server) consistencyProof(w http.ResponseWriter, r *http.Request, _ principal) error {
	from, err := number(r, "old_size", 1)
	if err != nil {
		return err
	}
	size, err := number(r, "size", 1)
	if err != nil {
		return err
	}
	hashes, err := s.journal.ConsistencyProof(r.Context(), from, size)
	if err != nil {
		return err
	}
	return writeJSON(w, http.StatusOK, gateway.Proof{OldSize: from, Size: size, Hashes: inBase64(hashes)})
}

func inBase64(hashes [][32]byte) []string {
	out := make([]string, 0, len(hashes))
	for _, h := range hashes {
		out = append(out, base64.StdEncoding.EncodeToString(h[:]))
	}
	return out
}

// backup sends the database as it is now, as one file that journal.Restore
// takes, while everything goes on.
func (s *Server) backup(w http.ResponseWriter, r *http.Request, _ principal) (err error) {
	name := filepath.Join(s.stateDir, "backup-"+ulid.Make().String()+".db")
	if err := s.journal.Backup(r.Context(), name); err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.Remove(name)) }()
	f, err := os.Open(name)
	if err != nil {
		return fmt.Errorf("reading the backup: %w", err)
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	info, err := f.Stat()
	if err != nil {
		return fmt.Errorf("reading the backup: %w", err)
	}
	w.Header().Set("Content-Type", "application/vnd.sqlite3")
	w.Header().Set("Content-Disposition", `attachment; filename="leviathan.db"`)
	http.ServeContent(w, r, "", info.ModTime(), f)
	return nil
}

// exportJournal sends every record with its body, a line of JSON each, in the
// form that `leviathan journal verify` takes.
func (s *Server) exportJournal(w http.ResponseWriter, r *http.Request, _ principal) error {
	w.Header().Set("Content-Type", "application/x-ndjson")
	if _, err := s.journal.Export(r.Context(), w, journal.ExportOptions{}); err != nil {
		return errGone{err}
	}
	return nil
}

// prune removes inputs of old decisions. What is left proves as much as
// before, and those decisions can no longer be replayed.
func (s *Server) prune(w http.ResponseWriter, r *http.Request, p principal) error {
	var req gateway.PruneRequest
	if err := readJSON(r, &req); err != nil {
		return err
	}
	if req.Before.IsZero() {
		return &gateway.Error{Kind: gateway.Invalid, Field: "before", Detail: "before is missing: inputs that only older decisions have are removed"}
	}
	if req.Reason = clip(req.Reason); req.Reason == "" {
		return &gateway.Error{Kind: gateway.Invalid, Field: "reason", Detail: "say why: reason is empty"}
	}
	d, err := s.decide(r.Context(), question{action: gateway.ActionJournalPrune, by: p, resource: gateway.Entity{Type: "journal", ID: "*"},
		request: map[string]string{"before": req.Before.String(), "reason": req.Reason}})
	if err != nil {
		return err
	}
	if err := d.refusal(); err != nil {
		return err
	}
	removed, err := s.journal.Prune(r.Context(), req.Before)
	if err != nil {
		return err
	}
	return writeJSON(w, http.StatusOK, gateway.PruneResult{Removed: removed, DecisionID: d.ID})
}
