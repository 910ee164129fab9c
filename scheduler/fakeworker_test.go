package scheduler_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"os/signal"
	"strings"
	"testing"
)

// TestMain lets the launcher run this test binary as its worker.
func TestMain(m *testing.M) {
	if len(os.Args) > 1 && os.Args[1] == "worker" {
		os.Exit(fakeWorker())
	}
	os.Exit(m.Run())
}

// A hello is what a worker finds itself to be.
type hello struct {
	Args, Env  []string
	Stdin      string
	PID, Group int
}

// fakeWorker tells the test what it was given and does as it is told: "exit N"
// ends it, "leave" ends it with a child that holds its stderr, "obey" has it
// wait for an interrupt, "ignore" wait for ever, deaf to it.
func fakeWorker() int {
	gateway := os.Args[3]
	token, err := io.ReadAll(os.Stdin)
	if err != nil {
		return complain(err)
	}
	// Before the hello: the test may interrupt at once.
	interrupts := make(chan os.Signal, 1)
	signal.Notify(interrupts, os.Interrupt)
	order, err := post(gateway+"/hello", hello{Args: os.Args, Env: os.Environ(), Stdin: string(token), PID: os.Getpid(), Group: processGroup()})
	if err != nil {
		return complain(err)
	}
	switch order {
	case "obey", "ignore":
		if _, err := post(gateway+"/ready", nil); err != nil {
			return complain(err)
		}
		<-interrupts
		if order == "ignore" {
			select {} // until it is killed; signal.Notify keeps the runtime from calling it a deadlock
		}
		if _, err := post(gateway+"/interrupted", nil); err != nil {
			return complain(err)
		}
		return 0
	case "leave":
		child := exec.Command(os.Args[0], os.Args[1:]...)
		child.Stderr = os.Stderr
		if err := child.Start(); err != nil {
			return complain(err)
		}
		return 0
	}
	code := 0
	if _, err := fmt.Sscanf(order, "exit %d", &code); err != nil {
		return complain(fmt.Errorf("the order %q: %w", order, err))
	}
	if code != 0 {
		fmt.Fprintln(os.Stderr, "the first words\n"+strings.Repeat("and more words\n", 1000)+"the last words")
	}
	return code
}

func complain(err error) int {
	fmt.Fprintln(os.Stderr, err)
	return 99
}

func post(url string, body any) (string, error) {
	data, err := json.Marshal(body)
	if err != nil {
		return "", err
	}
	answer, err := http.Post(url, "application/json", bytes.NewReader(data))
	if err != nil {
		return "", err
	}
	defer answer.Body.Close()
	said, err := io.ReadAll(answer.Body)
	return string(said), err
}
