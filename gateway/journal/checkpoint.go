package journal

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"golang.org/x/mod/sumdb/note"
)

// CheckpointName is the name of the signing key and the first line of every
// checkpoint.
const CheckpointName = "leviathan-journal"

// loadKey reads the checkpoint key of the folder, making one the first time.
// The verifier's key, which is public, lies beside it.
func loadKey(dir string) (note.Signer, note.Verifier, error) {
	secretFile, publicFile := filepath.Join(dir, "journal.key"), filepath.Join(dir, "journal.pub")
	secret, err := os.ReadFile(secretFile)
	if errors.Is(err, fs.ErrNotExist) {
		return makeKey(dir, secretFile, publicFile)
	}
	if err != nil {
		return nil, nil, fmt.Errorf("read journal key: %w", err)
	}
	signer, err := note.NewSigner(strings.TrimSpace(string(secret)))
	if err != nil {
		return nil, nil, fmt.Errorf("read journal key %s: %w", secretFile, err)
	}
	public, err := os.ReadFile(publicFile)
	if err != nil {
		return nil, nil, fmt.Errorf("read journal key: %w", err)
	}
	check, err := note.NewVerifier(strings.TrimSpace(string(public)))
	if err != nil {
		return nil, nil, fmt.Errorf("read journal key %s: %w", publicFile, err)
	}
	if signer.Name() != check.Name() || signer.KeyHash() != check.KeyHash() {
		return nil, nil, fmt.Errorf("read journal key: %s and %s are not one pair", secretFile, publicFile)
	}
	return signer, check, nil
}

func makeKey(dir, secretFile, publicFile string) (note.Signer, note.Verifier, error) {
	secret, public, err := note.GenerateKey(rand.Reader, CheckpointName)
	if err != nil {
		return nil, nil, fmt.Errorf("make journal key: %w", err)
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, nil, fmt.Errorf("make journal key: %w", err)
	}
	// The public half first: a crash between the two leaves no secret without it.
	if err := writeFile(publicFile, public, 0o644); err != nil {
		return nil, nil, err
	}
	if err := writeFile(secretFile, secret, 0o600); err != nil {
		return nil, nil, err
	}
	signer, err := note.NewSigner(secret)
	if err != nil {
		return nil, nil, fmt.Errorf("make journal key: %w", err)
	}
	check, err := note.NewVerifier(public)
	return signer, check, err
}

// writeFile puts a whole file in place, on disk.
func writeFile(path, text string, mode os.FileMode) (err error) {
	f, err := os.OpenFile(path+".new", os.O_WRONLY|os.O_CREATE|os.O_TRUNC, mode)
	if err != nil {
		return fmt.Errorf("write %s: %w", path, err)
	}
	_, err = f.WriteString(text + "\n")
	if err = errors.Join(err, f.Sync(), f.Close()); err != nil {
		return fmt.Errorf("write %s: %w", path, err)
	}
	if err := os.Rename(path+".new", path); err != nil {
		return fmt.Errorf("write %s: %w", path, err)
	}
	return nil
}

// A Checkpoint is what a signed note says of the log: so many records, and the
// hash of the tree over their leaves.
type Checkpoint struct {
	Size int64
	Root [32]byte
}

// text is the note's text: origin, size and root, as C2SP tlog-checkpoint has
// them.
func (c Checkpoint) text() string {
	return CheckpointName + "\n" + strconv.FormatInt(c.Size, 10) + "\n" + base64.StdEncoding.EncodeToString(c.Root[:]) + "\n"
}

// ParseCheckpoint opens a signed checkpoint with the verifier of its key. A
// nil verifier leaves the signature unchecked.
func ParseCheckpoint(signed []byte, key note.Verifier) (c Checkpoint, err error) {
	var text string
	if key == nil {
		text, _, _ = strings.Cut(string(signed), "\n\n")
		text += "\n"
	} else {
		n, err := note.Open(signed, note.VerifierList(key))
		if err != nil {
			return c, fmt.Errorf("open checkpoint: %w", err)
		}
		text = n.Text
	}
	lines := strings.Split(text, "\n")
	if len(lines) < 4 || lines[0] != CheckpointName {
		return c, fmt.Errorf("read checkpoint: it is not one of %s", CheckpointName)
	}
	if c.Size, err = strconv.ParseInt(lines[1], 10, 64); err != nil || c.Size < 0 {
		return c, fmt.Errorf("read checkpoint: size %q is not a number", lines[1])
	}
	root, err := base64.StdEncoding.DecodeString(lines[2])
	if err != nil {
		return c, fmt.Errorf("read checkpoint: root: %w", err)
	}
	if c.Root, err = asDigest(root); err != nil {
		return c, fmt.Errorf("read checkpoint: root: %w", err)
	}
	if c.text() != text {
		return c, errors.New("read checkpoint: it is not in canonical form")
	}
	return c, nil
}

// sign is the signed checkpoint of a tree.
func sign(t *tree, key note.Signer) ([]byte, error) {
	b, err := note.Sign(&note.Note{Text: Checkpoint{Size: t.size, Root: t.root()}.text()}, key)
	if err != nil {
		return nil, fmt.Errorf("sign checkpoint: %w", err)
	}
	return b, nil
}

// Checkpoint is a signed note of all that is committed. Kept in another place
// it proves, to Verify, that nothing before it was changed since.
func (j *Journal) Checkpoint(ctx context.Context) ([]byte, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	j.mu.RLock()
	t := j.size.clone()
	j.mu.RUnlock()
	return sign(&t, j.signer)
}

// VerifierKey is the public key of the checkpoints, as note.NewVerifier takes
// it.
func (j *Journal) VerifierKey() (string, error) {
	b, err := os.ReadFile(filepath.Join(j.cfg.Dir, "keys", "journal.pub"))
	if err != nil {
		return "", fmt.Errorf("read journal key: %w", err)
	}
	return string(bytes.TrimSpace(b)), nil
}

// storeCheckpoint writes a signed checkpoint of the tree to the database.
func (j *Journal) storeCheckpoint(t *tree) error {
	if t.size == 0 {
		return nil
	}
	signed, err := sign(t, j.signer)
	if err != nil {
		return err
	}
	return j.w.exec(`INSERT INTO checkpoint (size, note) VALUES (?, ?) ON CONFLICT DO NOTHING`, t.size, string(signed))
}

// checkpointNow stores a checkpoint of what is committed, if there is anything
// new, outside any transaction. The writer calls it.
func (j *Journal) checkpointNow() {
	if j.dead != nil || j.covered >= j.head.seq || j.fenced() != nil {
		return // what may not be written is said to whoever asks for it
	}
	if err := j.storeCheckpoint(&j.head.tree); err != nil {
		j.cfg.Logger.Error("store checkpoint", "error", err)
		return
	}
	j.covered = j.head.seq
	j.file.poke()
}
