package e2e

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"time"
)

// programs are processes that run until they are stopped, with their output in
// files of a folder.
type programs struct {
	logs    string
	running []*exec.Cmd
}

// start starts a program. Its output goes to a file of that name.
func (p *programs) start(name, program string, args ...string) error {
	log, err := os.Create(filepath.Join(p.logs, name+".log"))
	if err != nil {
		return err
	}
	defer log.Close()
	cmd := exec.Command(program, args...)
	cmd.Stdout, cmd.Stderr = log, log
	if err := cmd.Start(); err != nil {
		return fmt.Errorf("starting %s: %w", name, err)
	}
	p.running = append(p.running, cmd)
	return nil
}

// Stop ends the programs, the last one first.
func (p *programs) Stop() error {
	var errs []error
	for i := len(p.running) - 1; i >= 0; i-- {
		cmd := p.running[i]
		if err := cmd.Process.Signal(syscall.SIGTERM); err != nil && !errors.Is(err, os.ErrProcessDone) {
			errs = append(errs, err)
		}
		late := time.AfterFunc(20*time.Second, func() { _ = cmd.Process.Kill() }) // it may have ended meanwhile
		_ = cmd.Wait()                                                            // ended by a signal
		late.Stop()
	}
	p.running = nil
	return errors.Join(errs...)
}
