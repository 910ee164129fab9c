package server

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strconv"

	"leviathan/gateway"
	"leviathan/gateway/journal"
)

const (
	artifactMax  = 10 * mib
	artifactsMax = 50
)

var artifactName = regexp.MustCompile(`^[a-z0-9._-]{1,64}$`)

// artifactPart is an upload as the policy sees it.
type artifactPart struct {
	Name   string `json:"name"`
	Offset int64  `json:"offset"`
	Size   int64  `json:"size"`  // of this piece
	Count  int    `json:"count"` // artifacts that the attempt has, this one included
	Total  int64  `json:"total"` // size of the artifact after this piece
}

// artifactPath is the file of an artifact, below the state folder. os.Root
// keeps it there whatever the names are.
func (s *Server) artifactPath(attempt gateway.AttemptID, name string) (string, error) {
	if !artifactName.MatchString(name) || name == "." || name == ".." {
		return "", &gateway.Error{Kind: gateway.Invalid, Field: "name", Detail: "an artifact's name is 1 to 64 of a-z, 0-9, dot, underscore and hyphen"}
	}
	return filepath.Join(string(attempt), name), nil
}

// putArtifact appends a piece to an artifact. A piece that was written before
// is accepted again if it says the same, so that a lost reply costs nothing.
func (s *Server) putArtifact(w http.ResponseWriter, r *http.Request, p principal) error {
	a, err := s.subjectAttempt(r)
	if err != nil {
		return err
	}
	if err := ended(p, a); err != nil {
		return err
	}
	name := fields(r)["name"]
	path, err := s.artifactPath(a.ID, name)
	if err != nil {
		return err
	}
	offset, err := strconv.ParseInt(r.URL.Query().Get("offset"), 10, 64)
	if r.URL.Query().Get("offset") == "" {
		offset, err = 0, nil
	}
	if err != nil || offset < 0 || offset > 1<<40 {
		return &gateway.Error{Kind: gateway.Invalid, Field: "offset", Detail: "offset is a number of bytes"}
	}
	data, err := io.ReadAll(r.Body)
	if errBodyTooLarge(err) || err == nil && offset+int64(len(data)) > artifactMax {
		return gateway.Errorf(gateway.TooLarge, "artifact %s is larger than %d bytes", name, artifactMax)
	}
	if err != nil {
		return gateway.Errorf(gateway.Invalid, "reading the artifact: %v", err)
	}
	count, err := s.countArtifacts(a.ID, name)
	if err != nil {
		return err
	}
	q := about(gateway.ActionArtifactPut, p, a)
	q.request = artifactPart{Name: name, Offset: offset, Size: int64(len(data)), Count: count, Total: offset + int64(len(data))}
	d, err := s.decide(r.Context(), q)
	if err != nil {
		return err
	}
	if err := d.refusal(); err != nil {
		return err
	}
	artifact, err := s.appendArtifact(a, path, name, offset, data)
	if err != nil {
		return err
	}
	err = s.journal.Commit(r.Context(), func(tx *journal.Tx) error {
		return event(tx, p.id, journal.ArtifactCreated{Subject: subject(a), ArtifactID: string(a.ID) + "/" + name, Name: name,
			SHA256: artifact.SHA256, ArtifactType: "log", SizeBytes: artifact.SizeBytes, StoragePath: path})
	})
	if err != nil {
		return unrecorded(err)
	}
	return writeJSON(w, http.StatusOK, artifact)
}

// countArtifacts is how many artifacts the attempt has once name is one.
func (s *Server) countArtifacts(attempt gateway.AttemptID, name string) (int, error) {
	entries, err := fs.ReadDir(s.artifacts.FS(), string(attempt))
	if errors.Is(err, fs.ErrNotExist) {
		return 1, nil
	}
	if err != nil {
		return 0, fmt.Errorf("listing artifacts of %s: %w", attempt, err)
	}
	count := 1
	for _, e := range entries {
		if e.Name() != name {
			count++
		}
	}
	if count > artifactsMax {
		return 0, gateway.Errorf(gateway.TooLarge, "an attempt has at most %d artifacts", artifactsMax)
	}
	return count, nil
}

func (s *Server) appendArtifact(a *journal.Attempt, path, name string, offset int64, data []byte) (gateway.Artifact, error) {
	s.artifactMu.Lock()
	defer s.artifactMu.Unlock()
	if err := s.artifacts.Mkdir(string(a.ID), 0o700); err != nil && !errors.Is(err, fs.ErrExist) {
		return gateway.Artifact{}, fmt.Errorf("creating the artifact folder: %w", err)
	}
	if _, err := s.countArtifacts(a.ID, name); err != nil { // again, where nobody else adds one
		return gateway.Artifact{}, err
	}
	f, err := s.artifacts.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return gateway.Artifact{}, fmt.Errorf("opening artifact %s: %w", path, err)
	}
	err = writePiece(f, name, offset, data)
	hash := sha256.New()
	size := int64(0)
	if err == nil {
		if _, err = f.Seek(0, io.SeekStart); err == nil {
			size, err = io.Copy(hash, f)
		}
	}
	if err = errors.Join(err, f.Close()); err != nil {
		return gateway.Artifact{}, err
	}
	return gateway.Artifact{Name: name, SizeBytes: size, SHA256: hex.EncodeToString(hash.Sum(nil))}, nil
}

// writePiece puts data at offset, which must be within what is there: a piece
// never leaves a hole, and what was written stays.
func writePiece(f *os.File, name string, offset int64, data []byte) error {
	info, err := f.Stat()
	if err != nil {
		return fmt.Errorf("artifact %s: %w", name, err)
	}
	have := info.Size()
	if offset > have {
		return &gateway.Error{Kind: gateway.Conflict, Field: "offset", Detail: fmt.Sprintf("artifact %s has %d bytes; a piece at %d would leave a hole", name, have, offset)}
	}
	overlap := min(have-offset, int64(len(data)))
	if overlap > 0 {
		before := make([]byte, overlap)
		if _, err := f.ReadAt(before, offset); err != nil {
			return fmt.Errorf("artifact %s: %w", name, err)
		}
		if string(before) != string(data[:overlap]) {
			return &gateway.Error{Kind: gateway.Conflict, Field: "offset", Detail: fmt.Sprintf("artifact %s has other bytes at %d; artifacts are appended, never changed", name, offset)}
		}
	}
	if _, err := f.WriteAt(data[overlap:], offset+overlap); err != nil {
		return fmt.Errorf("writing artifact %s: %w", name, err)
	}
	return f.Sync()
}

// getArtifact serves what an agent wrote. It is hostile text: never rendered,
// never sniffed, never framed.
func (s *Server) getArtifact(w http.ResponseWriter, r *http.Request, _ principal) error {
	attempt := gateway.AttemptID(fields(r)["attempt"])
	if !attempt.Valid() {
		return gateway.Errorf(gateway.NotFound, "no attempt %q", attempt)
	}
	name := fields(r)["name"]
	path, err := s.artifactPath(attempt, name)
	if err != nil {
		return err
	}
	f, err := s.artifacts.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return gateway.Errorf(gateway.NotFound, "attempt %s has no artifact %q", attempt, name)
	}
	if err != nil {
		return fmt.Errorf("opening artifact %s: %w", path, err)
	}
	defer f.Close()
	h := w.Header()
	h.Set("Content-Type", "text/plain; charset=utf-8")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Content-Disposition", `attachment; filename="`+name+`"`)
	h.Set("Content-Security-Policy", "sandbox")
	if _, err := io.Copy(w, f); err != nil {
		return errGone{err}
	}
	return nil
}
