package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path/filepath"

	"github.com/spf13/cobra"

	"leviathan/gateway"
	"leviathan/gateway/journal"
)

func (o operator) journalBackup() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "backup FILE",
		Short: "Copy the journal as it is now to a new file, while the gateway runs",
		Long: "Copy the journal as it is now to one new file. It verifies like the original, and `leviathan journal restore`\n" +
			"makes a state folder of it. The signing key is not in it: keep the folder's keys/ as you keep keys.",
		Args: named("FILE"),
	}
	conn := o.look(cmd, "state")
	cmd.RunE = func(cmd *cobra.Command, args []string) (err error) {
		s, err := conn.open(cmd)
		if err != nil {
			return err
		}
		defer s.end(cmd)
		body, err := s.JournalBackup(cmd.Context())
		if err != nil {
			return s.explain(cmd.Context(), "backing up the journal", err)
		}
		defer func() { err = errors.Join(err, body.Close()) }()
		if _, err := saveNew(cmd, args[0], body); err != nil {
			return err
		}
		return checkBackup(cmd, args[0])
	}
	return cmd
}

// checkBackup holds what was written to its own hashes: a copy that nobody
// looked at is no backup.
func checkBackup(cmd *cobra.Command, file string) error {
	report, err := journal.Verify(cmd.Context(), file, journal.VerifyOptions{})
	if err != nil {
		return fmt.Errorf("verifying %s: %w", file, err)
	}
	if report.Problem != nil {
		return fmt.Errorf("%s does not verify: %s", file, report.Problem.What)
	}
	_, err = fmt.Fprintf(cmd.OutOrStdout(), "%s holds %d records and verifies\n", file, report.Records)
	return err
}

func (o operator) journalRestore() *cobra.Command {
	var state, key string
	var newKey bool
	cmd := &cobra.Command{
		Use:   "restore FILE",
		Short: "Make a state folder of a backup",
		Long: "Verify a backup and put it into a state folder that has no journal. The folder's keys/ must hold the signing key of\n" +
			"the journal; if that is lost, --new-key goes on with a new one, and the old checkpoints are dropped.",
		Args: named("FILE"),
	}
	cmd.Flags().StringVar(&state, "state", "", "the state folder to make, at `DIR` (required)")
	cmd.Flags().StringVar(&key, "key", "", "the public key that its checkpoints must be signed with, in a `FILE`")
	cmd.Flags().BoolVar(&newKey, "new-key", false, "the signing key is lost: go on with a new one")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if state == "" {
			return errors.New("name the state folder with --state DIR")
		}
		options := journal.RestoreOptions{NewKey: newKey}
		if key != "" {
			var err error
			if options.Key, err = readKey(key); err != nil {
				return err
			}
		}
		report, err := journal.Restore(cmd.Context(), args[0], state, options)
		if err != nil {
			return fmt.Errorf("restoring %s: %w", args[0], err)
		}
		_, err = fmt.Fprintf(cmd.OutOrStdout(), "restored %d records to %s; start a gateway on %s\n", report.Records, filepath.Join(state, journal.DatabaseFile), state)
		return err
	}
	return cmd
}

func (o operator) journalPrune() *cobra.Command {
	var before string
	cmd := o.act("prune", "Remove inputs of old decisions; what is left proves as much as before", cobra.NoArgs,
		func(cmd *cobra.Command) {
			cmd.Flags().StringVar(&before, "before", "", "a `TIME` (RFC 3339, or how long ago: 90d) (required)")
		},
		func(ctx context.Context, s *session, _ []string, reason string) (string, error) {
			at, err := o.sinceNow("before", before)
			if err != nil {
				return "", err
			}
			if at.IsZero() {
				return "", errors.New("name the time with --before TIME")
			}
			result, err := s.PruneJournal(ctx, gateway.PruneRequest{Before: at, Reason: reason})
			return fmt.Sprintf("removed %d parts of inputs (decision %s)", result.Removed, result.DecisionID), s.explain(ctx, "pruning the journal", err)
		})
	cmd.Long = "Remove the large parts of inputs that only decisions before a time have. Every record, event and proof stays;\n" +
		"those decisions can no longer be replayed or explained."
	return cmd
}

func (o operator) journalExport() *cobra.Command {
	var file string
	var zip bool
	cmd := &cobra.Command{Use: "export", Short: "Every record with its body, a line of JSON each, that verifies by itself", Args: cobra.NoArgs}
	conn := o.look(cmd, "state")
	cmd.Flags().StringVarP(&file, "out", "o", "", "write to a new `FILE`")
	cmd.Flags().BoolVar(&zip, "gzip", false, "compress")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		return streamed(cmd, conn, file, zip, "exporting the journal",
			func(ctx context.Context, s *session) (io.ReadCloser, error) { return s.JournalExport(ctx) })
	}
	return cmd
}

// checkpointsBeside are the checkpoints in the file beside a state folder's
// database; none if there is no such file.
func checkpointsBeside(state string) ([]byte, error) {
	data, err := readLimited(filepath.Join(state, journal.CheckpointsFile), 256<<20)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	return data, err
}
