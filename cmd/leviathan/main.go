// Command leviathan is every role of the system as a subcommand: the gateway,
// the scheduler, the worker, all of them on one machine, and the operator's
// tools. It parses flags, hands signals on and turns errors into exit codes;
// the packages do the work.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"

	"github.com/spf13/cobra"

	"leviathan/gateway"
	"leviathan/worker"
)

// The exit codes of the binary. They are part of what others script.
const (
	exitDone        = 0
	exitNo          = 1 // the answer is no: denied, violated, not verified
	exitUsage       = 2 // used wrongly, or could not run
	exitUnreachable = 3 // the gateway or a fact is unreachable
	exitNotSeen     = 4 // something was not seen to stop, or to go on
	exitInterrupted = 130
)

func main() {
	if len(os.Args) > 1 && os.Args[1] == worker.SandboxCommand {
		os.Exit(worker.SandboxMain(os.Args[2:]))
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	code := run(ctx, rootAs(filepath.Base(os.Args[0])), os.Args[1:])
	stop()
	os.Exit(code)
}

// run executes one command line of root and returns its exit code.
func run(ctx context.Context, root *cobra.Command, args []string) int {
	root.SetArgs(args)
	err := root.ExecuteContext(ctx)
	if err == nil {
		return exitDone
	}
	var coded *exitError
	if !errors.As(err, &coded) || coded.err != nil {
		fmt.Fprintln(root.ErrOrStderr(), root.Name()+": "+err.Error())
	}
	return exitCode(ctx, err)
}

// An exitError carries an exit code of its own; without an error, the command
// has said everything already.
type exitError struct {
	code int
	err  error
}

func (e *exitError) Error() string {
	if e.err == nil {
		return fmt.Sprintf("exit code %d", e.code)
	}
	return e.err.Error()
}

func (e *exitError) Unwrap() error { return e.err }

// exitCode is the one table from errors to exit codes.
func exitCode(ctx context.Context, err error) int {
	var coded *exitError
	switch {
	case errors.As(err, &coded):
		return coded.code
	case errors.Is(err, context.Canceled) && ctx.Err() != nil:
		return exitInterrupted
	}
	var known *gateway.Error
	if !errors.As(err, &known) {
		return exitUsage
	}
	switch known.Kind {
	case gateway.Forbidden, gateway.Conflict, gateway.NotFound:
		return exitNo
	case gateway.Unknown, gateway.RateLimited, gateway.InternalError:
		return exitUnreachable
	}
	return exitUsage
}

// newRoot is the command line. Groups are in the order in which a newcomer
// needs them.
func newRoot() *cobra.Command {
	root := &cobra.Command{
		Use:           "leviathan",
		Short:         "Coding agents on a repository's own backlog, under rules that are policies",
		SilenceUsage:  true,
		SilenceErrors: true,
		Version:       gateway.Version,
	}
	root.SetVersionTemplate("leviathan {{.Version}}\n")
	root.AddGroup(&cobra.Group{ID: "run", Title: "Run it:"}, &cobra.Group{ID: "look", Title: "Look:"},
		&cobra.Group{ID: "act", Title: "Act:"}, &cobra.Group{ID: "edit", Title: "Edit and check:"})
	root.AddCommand(runCommands()...)
	root.AddCommand(operatorCommands()...)
	explain(root)
	operatorHere().completions(root)
	return root
}
