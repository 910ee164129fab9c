package worker

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// supervised runs the command below a supervisor and returns when nothing of
// it is left. When ctx ends, the command is killed; the report then says
// Stopped. An error means that the machinery failed, not the command.
func (r *run) supervised(ctx context.Context, c command) (sandboxReport, error) {
	var report sandboxReport
	spec, err := json.Marshal(c.spec)
	if err != nil {
		return report, fmt.Errorf("encoding the sandbox's spec: %w", err)
	}
	var pipes [3]struct{ read, write *os.File }
	for i := range pipes {
		if pipes[i].read, pipes[i].write, err = os.Pipe(); err != nil {
			return report, fmt.Errorf("making a pipe: %w", err)
		}
		defer pipes[i].read.Close()
		defer pipes[i].write.Close()
	}
	forSpec, forReport, forControl := pipes[0], pipes[1], pipes[2]

	cmd := exec.Command(r.Self, SandboxCommand)
	cmd.Env = []string{} // not nil, which would mean our own
	cmd.Dir = "/"
	cmd.Stdin, cmd.Stdout, cmd.Stderr = bytes.NewReader(c.stdin), c.output, c.output
	cmd.ExtraFiles = []*os.File{forSpec.read, forReport.write, forControl.read}
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.WaitDelay = time.Second // for what a dead supervisor leaves with our pipe
	if err := cmd.Start(); err != nil {
		return report, fmt.Errorf("starting the supervisor: %w", err)
	}
	err = errors.Join(forSpec.read.Close(), forReport.write.Close(), forControl.read.Close())
	if _, writeErr := forSpec.write.Write(spec); writeErr != nil {
		err = errors.Join(err, fmt.Errorf("telling the supervisor: %w", writeErr))
	}
	err = errors.Join(err, forSpec.write.Close())

	over := make(chan struct{})
	go func() {
		defer close(over)
		// A report that does not parse leaves Clean false, which is acted upon.
		if json.NewDecoder(forReport.read).Decode(&report) != nil {
			report = sandboxReport{}
		}
	}()
	if err != nil {
		err = errors.Join(err, forControl.write.Close())
	}
	waitFor(ctx, over, forControl.write, cmd.Process)
	exit := cmd.Wait()
	if !report.Clean {
		if leftErr := killLeft(); leftErr != nil {
			return report, leftErr
		}
	}
	if err != nil {
		return report, err
	}
	if !report.Clean && report.Setup == "" {
		// The supervisor was killed: by the command, or for want of memory.
		report.Exit, report.Stopped = 128+int(unix.SIGKILL), ctx.Err() != nil
		r.Logger.Warn("the supervisor died", "error", exit)
	}
	return report, nil
}

// waitFor returns when the supervisor has reported. When ctx ends it asks for
// the end of the command, and ends the supervisor when even that takes long.
func waitFor(ctx context.Context, over <-chan struct{}, control *os.File, supervisor *os.Process) {
	select {
	case <-over:
		return
	case <-ctx.Done():
	}
	control.Close() // closing is the request; there is no other use of it
	select {
	case <-over:
	case <-time.After(killTime + time.Second):
		supervisor.Kill() // what it leaves falls to this process, see killLeft
		<-over
	}
}

// killLeft kills and reaps what a supervisor that died left to this process.
// A worker runs nothing else at that time.
func killLeft() error {
	for deadline := time.Now().Add(killTime); ; {
		left := descendants(os.Getpid())
		if len(left) == 0 {
			return nil
		}
		if time.Now().After(deadline) {
			return fmt.Errorf("%d processes of the command cannot be killed", len(left))
		}
		for _, pid := range left {
			if err := unix.Kill(pid, unix.SIGKILL); err != nil && !errors.Is(err, unix.ESRCH) {
				return fmt.Errorf("killing process %d of the command: %w", pid, err)
			}
			var ws unix.WaitStatus
			if _, err := unix.Wait4(pid, &ws, unix.WNOHANG, nil); err != nil && !errors.Is(err, unix.ECHILD) && !errors.Is(err, unix.EINTR) {
				return fmt.Errorf("reaping process %d of the command: %w", pid, err)
			}
		}
		time.Sleep(5 * time.Millisecond)
	}
}
