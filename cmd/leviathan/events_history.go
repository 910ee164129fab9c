package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"leviathan/gateway"
	"leviathan/gateway/release04"
)

// importBundle is how many events one request of an import has.
const importBundle = 500

func (o operator) eventsExport() *cobra.Command {
	var file string
	var after int64
	cmd := &cobra.Command{
		Use:   "export",
		Short: "Write every event as a line of JSON",
		Args:  cobra.NoArgs,
	}
	conn := o.look(cmd, "state")
	cmd.Flags().StringVarP(&file, "output-file", "o", "", "write to a new `FILE` (default: stdout)")
	cmd.Flags().Int64Var(&after, "after", 0, "begin after the record `N`")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		s, err := conn.open(cmd)
		if err != nil {
			return err
		}
		defer s.end(cmd)
		write := func(w io.Writer) error {
			for event, err := range s.Events(cmd.Context(), gateway.EventQuery{After: after}) {
				if err != nil {
					return s.explain(cmd.Context(), "exporting events", err)
				}
				if err := writeEvent(w, event, asJSON); err != nil {
					return err
				}
			}
			return nil
		}
		if file == "" {
			return write(cmd.OutOrStdout())
		}
		r, w := io.Pipe()
		go func() { w.CloseWithError(write(w)) }()
		_, err = saveNew(cmd, file, r)
		return errors.Join(err, r.Close())
	}
	return cmd
}

func (o operator) eventsVerify() *cobra.Command {
	return &cobra.Command{
		Use:   "verify FILE",
		Short: "Check the chain of a journal of release 0.4",
		Long: "Check a journal of release 0.4, a line of JSON for each event: that each line's hash is the one of what stands in it, and\n" +
			"that each names the line before. The journal of this release has stronger proofs: leviathan journal verify.",
		Args: named("FILE"),
		RunE: func(cmd *cobra.Command, args []string) error {
			n := 0
			var first, last release04.Entry
			shown := o.bar(cmd.ErrOrStderr(), "verifying")
			err := readOld(args[0], shown, func(e release04.Entry) error {
				if n++; n == 1 {
					first = e
				}
				last = e
				return nil
			})
			shown.end()
			if err != nil || n == 0 {
				return brokenOld(cmd, args[0], n, err)
			}
			begins := "from its beginning"
			if !first.First {
				begins = "from the middle of a chain on"
			}
			_, err = fmt.Fprintf(cmd.OutOrStdout(), "VERIFIED %s: %d events in one chain, %s, to %s (hash %s)\n", args[0], n, begins, last.Event.Timestamp, last.Hash)
			return err
		},
	}
}

// readOld reads a journal of release 0.4, and moves the bar by how far it is.
func readOld(name string, shown *bar, each func(release04.Entry) error) (err error) {
	f, err := os.Open(name)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	for entry, err := range release04.Read(shown.reading(f)) {
		if err != nil {
			return err
		}
		if err := each(entry); err != nil {
			return err
		}
	}
	return nil
}

// brokenOld says what is wrong with an old journal; that is the answer no, and
// another error is none.
func brokenOld(cmd *cobra.Command, name string, good int, err error) error {
	var problem *release04.Problem
	switch {
	case err == nil:
		return fmt.Errorf("%s holds no event", name)
	case !errors.As(err, &problem):
		return err
	}
	if _, err := fmt.Fprintf(cmd.OutOrStdout(), "BROKEN %s:%d: %s\n%d events before it are in one chain\n", name, problem.Line, problem.What, good); err != nil {
		return err
	}
	return &exitError{code: exitNo}
}

func (o operator) eventsImport() *cobra.Command {
	var target string
	cmd := &cobra.Command{
		Use:   "import FILE",
		Short: "Take over the events of a journal of release 0.4, as claims",
		Long: "Take over the events of a journal of release 0.4. Its chain is verified first, in full; nothing of a broken one is taken\n" +
			"over. The events appear in the lists and the graph, marked as claims of another system: no policy reads them.\n" +
			"Repeating an import is safe.",
		Args: named("FILE"),
	}
	conn := o.connect(cmd)
	cmd.Flags().StringVar(&target, "target", "", "the `TARGET` of events that name none")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		total := 0
		verifying := o.bar(cmd.ErrOrStderr(), "verifying")
		err := readOld(args[0], verifying, func(release04.Entry) error { total++; return nil })
		verifying.end()
		if err != nil || total == 0 {
			return brokenOld(cmd, args[0], total, err)
		}
		s, err := conn.open(cmd)
		if err != nil {
			return err
		}
		in := &importer{cmd: cmd, s: s, target: gateway.TargetID(target), file: args[0], total: total, bar: o.bar(cmd.ErrOrStderr(), "importing")}
		err = readOld(args[0], &bar{}, in.take)
		if err == nil {
			err = in.send()
		}
		in.bar.end()
		if err != nil {
			return in.explain(err)
		}
		_, err = fmt.Fprintf(cmd.OutOrStdout(), "imported %d events of %s; %d were there already\n", in.ingested, args[0], in.duplicates)
		return err
	}
	return cmd
}

// An importer sends events in bundles, in the order of the file.
type importer struct {
	cmd    *cobra.Command
	s      *session
	target gateway.TargetID
	file   string
	total  int
	bar    *bar

	bundle                     []gateway.Event
	sent, ingested, duplicates int
}

func (in *importer) take(e release04.Entry) error {
	in.bundle = append(in.bundle, e.Event)
	if len(in.bundle) < importBundle {
		return nil
	}
	return in.send()
}

func (in *importer) send() error {
	if len(in.bundle) == 0 {
		return nil
	}
	result, err := in.s.Ingest(in.cmd.Context(), gateway.IngestRequest{Target: in.target, Events: in.bundle,
		BundleID: fmt.Sprintf("release-0.4:%s:%d", filepath.Base(in.file), in.sent)})
	if err != nil {
		return err
	}
	in.sent += len(in.bundle)
	in.ingested, in.duplicates, in.bundle = in.ingested+result.Ingested, in.duplicates+result.Duplicates, in.bundle[:0]
	in.bar.at(int64(in.sent), int64(in.total))
	return nil
}

// explain says how far the import came.
func (in *importer) explain(err error) error {
	return fmt.Errorf("%d of %d events are taken over; the import can be repeated: %w", in.sent, in.total, in.s.explain(in.cmd.Context(), "importing events", err))
}
