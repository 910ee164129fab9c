package main

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/spf13/cobra"
	"golang.org/x/mod/sumdb/note"

	"leviathan/gateway/journal"
)

// publicKeyFile is where a state folder keeps the key that checks its
// checkpoints.
var publicKeyFile = filepath.Join("keys", "journal.pub")

// maxNote bounds a checkpoint and a key.
const maxNote = 64 << 10

func (o operator) journal() *cobra.Command {
	return family("journal", "The log of every event and decision", o.journalVerify(), o.journalCheckpoint(), o.journalBackup(), o.journalRestore(), o.journalPrune(), o.journalExport())
}

func (o operator) journalCheckpoint() *cobra.Command {
	var file string
	cmd := &cobra.Command{
		Use:   "checkpoint",
		Short: "A signed note of all that the journal holds now; keep it elsewhere",
		Long: "Print a signed note of the journal's size and hash. Kept on another machine it proves later, with\n" +
			"`leviathan journal verify --checkpoint FILE`, that nothing before it was changed, left out or moved.",
		Args: cobra.NoArgs,
	}
	conn := o.look(cmd, "state")
	cmd.Flags().StringVarP(&file, "out", "o", "", "write it to a new `FILE`")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		s, err := conn.open(cmd)
		if err != nil {
			return err
		}
		defer s.end(cmd)
		note, err := s.Checkpoint(cmd.Context())
		if err != nil {
			return s.explain(cmd.Context(), "asking for a checkpoint", err)
		}
		if file != "" {
			_, err := saveNew(cmd, file, strings.NewReader(note))
			return err
		}
		_, err = fmt.Fprint(cmd.OutOrStdout(), printableLines(note))
		return err
	}
	return cmd
}

// A verified is what a verification found, for people and scripts.
type verified struct {
	Verified    bool   `json:"verified"`
	File        string `json:"file"`
	Records     int64  `json:"records"`
	Root        string `json:"root"` // hex
	Bodies      int64  `json:"bodies"`
	Parts       int64  `json:"parts"`
	Checkpoints int64  `json:"checkpoints"`     // stored or given ones that matched
	Kept        int64  `json:"kept_checkpoint"` // the size of the one that was given
	KeyFile     string `json:"key,omitempty"`   // empty: signatures were not checked
	Problem     string `json:"problem,omitempty"`
	ProblemSeq  int64  `json:"problem_record,omitempty"`
	ProblemLast int64  `json:"problem_last_record,omitempty"`
}

func (o operator) journalVerify() *cobra.Command {
	var out format
	var state, file, kept, key string
	cmd := &cobra.Command{
		Use:   "verify",
		Short: "Check every record of a journal against its hashes; no gateway is needed",
		Long: "Check every record, its body, the order, the tree and the stored checkpoints of a state folder's journal,\n" +
			"while the gateway runs or not, or of a copy, a backup or an export (--file). Who owns the folder could have rewritten all of it: give a\n" +
			"checkpoint, and best the key too, that were kept elsewhere, to see that as well.",
		Args: cobra.NoArgs,
	}
	out.flag(cmd)
	cmd.Flags().StringVar(&state, "state", "", "the state folder, or a copy of it, at `DIR`")
	cmd.Flags().StringVar(&file, "file", "", "instead of a state folder: a backup, or an export, in a `FILE`")
	cmd.Flags().StringVar(&kept, "checkpoint", "", "a checkpoint that was kept elsewhere, in a `FILE`")
	cmd.Flags().StringVar(&key, "key", "", "the public key of the checkpoints, in a `FILE` (default DIR/"+publicKeyFile+")")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		if (state == "") == (file == "") {
			return errors.New("name the state folder with --state DIR, or a backup or an export with --file FILE")
		}
		found, err := verifyJournal(cmd, state, file, kept, key)
		if err != nil {
			return err
		}
		err = out.show(cmd, found, func(w io.Writer) error { return writeVerified(w, found) })
		if err == nil && !found.Verified {
			return &exitError{code: exitNo}
		}
		return err
	}
	return cmd
}

func verifyJournal(cmd *cobra.Command, state, file, kept, key string) (verified, error) {
	found := verified{File: file}
	if state != "" {
		found.File = filepath.Join(state, journal.DatabaseFile)
	}
	if _, err := os.Stat(found.File); err != nil {
		return found, fmt.Errorf("there is no journal to verify: %w", err)
	}
	options := journal.VerifyOptions{}
	var err error
	if found.KeyFile = key; key == "" && state != "" {
		found.KeyFile = filepath.Join(state, publicKeyFile)
	}
	if found.KeyFile != "" {
		switch options.Key, err = readKey(found.KeyFile); {
		case key == "" && errors.Is(err, fs.ErrNotExist):
			found.KeyFile = ""
		case err != nil:
			return found, err
		}
	}
	if kept != "" {
		if options.Checkpoint, err = readLimited(kept, maxNote); err != nil {
			return found, fmt.Errorf("reading the checkpoint: %w", err)
		}
		if len(options.Checkpoint) == 0 {
			return found, fmt.Errorf("reading the checkpoint: %s is empty", kept)
		}
	}
	if state != "" {
		if options.Checkpoints, err = checkpointsBeside(state); err != nil {
			return found, fmt.Errorf("reading the checkpoints beside the journal: %w", err)
		}
	}
	shown := operatorHere().bar(cmd.ErrOrStderr(), "verifying")
	options.Progress = shown.at
	result, err := verifyFile(cmd.Context(), found.File, options, shown)
	shown.end()
	if cmd.Context().Err() != nil {
		return found, &exitError{code: exitInterrupted}
	}
	if err != nil {
		return found, err
	}
	found.Verified, found.Records, found.Root = result.Problem == nil, result.Records, hex.EncodeToString(result.Root[:])
	found.Bodies, found.Parts, found.Checkpoints, found.Kept = result.Bodies, result.Parts+result.Bundles, result.Checkpoints, result.Kept
	if kept == "" {
		found.Kept = 0 // those beside the journal prove nothing against who owns the folder
	}
	if result.Problem != nil {
		found.Problem, found.ProblemSeq, found.ProblemLast = result.Problem.What, result.Problem.Seq, result.Problem.Last
	}
	return found, nil
}

// verifyFile verifies a database or an export, whichever the file is.
func verifyFile(ctx context.Context, name string, options journal.VerifyOptions, shown *bar) (_ journal.Report, err error) {
	f, err := os.Open(name)
	if err != nil {
		return journal.Report{}, fmt.Errorf("reading the journal: %w", err)
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	const magic = "SQLite format 3\x00"
	head := make([]byte, len(magic))
	if _, err := io.ReadFull(f, head); err == nil && string(head) == magic {
		return journal.Verify(ctx, name, options)
	}
	if _, err := f.Seek(0, io.SeekStart); err != nil {
		return journal.Report{}, fmt.Errorf("reading the journal: %w", err)
	}
	return journal.VerifyExport(ctx, shown.reading(f), options)
}

// readKey reads the public key of checkpoints.
func readKey(name string) (note.Verifier, error) {
	text, err := readLimited(name, maxNote)
	if err != nil {
		return nil, fmt.Errorf("reading the key: %w", err)
	}
	key, err := note.NewVerifier(strings.TrimSpace(string(text)))
	if err != nil {
		return nil, fmt.Errorf("reading the key %s: %w", name, err)
	}
	return key, nil
}

func writeVerified(w io.Writer, v verified) error {
	var b strings.Builder
	if v.Verified {
		fmt.Fprintf(&b, "VERIFIED  %s\n", v.File)
	} else {
		fmt.Fprintf(&b, "NOT VERIFIED  %s\n  %s\n", v.File, printable(v.Problem))
		if v.ProblemLast > v.ProblemSeq {
			fmt.Fprintf(&b, "  the first bad record is one of %d to %d\n", v.ProblemSeq, v.ProblemLast)
		}
		if v.ProblemSeq > 0 {
			fmt.Fprintf(&b, "  look at record %d and what follows it; keep the folder as it is and restore a copy that verifies\n", v.ProblemSeq)
		}
	}
	for _, line := range []struct {
		n    int64
		what string
	}{{v.Records, "records in order, each as its leaf says"}, {v.Bodies, "bodies as their digests say"}, {v.Parts, "stored values as their digests say"},
		{v.Checkpoints, "checkpoints that match"}} {
		fmt.Fprintf(&b, "  %-8s  %s\n", strconv.FormatInt(line.n, 10), line.what)
	}
	if v.Root != "" {
		fmt.Fprintf(&b, "  tree      %s\n", v.Root)
	}
	if v.KeyFile == "" {
		b.WriteString("  signatures were not checked: there is no key; give one with --key\n")
	}
	if v.Kept == 0 {
		b.WriteString("  no checkpoint from elsewhere was given: a rewrite of the whole folder cannot be seen\n")
	} else {
		fmt.Fprintf(&b, "  the checkpoint that was kept covers %d records\n", v.Kept)
	}
	_, err := io.WriteString(w, b.String())
	return err
}
