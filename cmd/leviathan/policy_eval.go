package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/spf13/cobra"

	"leviathan/gateway/engine"
)

// maxQuestion bounds the file of a question.
const maxQuestion = 64 << 20

func (o operator) policyEval() *cobra.Command {
	var out format
	var from, dir string
	var all bool
	cmd := &cobra.Command{
		Use:   "eval",
		Short: "Ask the policies one question and see how they came to the answer",
		Long: "Decide one question, which is a JSON object as docs/policy_input.md has it, and show the answer and\n" +
			"what each rule saw. The exit code is 0 if the answer is allow and 1 if it is deny.",
		Args:    cobra.NoArgs,
		Example: "leviathan policy eval --policies policies --input question.json",
	}
	out.flag(cmd)
	cmd.Flags().StringVar(&from, "input", "-", "the `FILE` of the question; - is the standard input")
	cmd.Flags().BoolVar(&all, "all", false, "show every rule, and what its conditions read")
	cmd.Flags().StringVar(&dir, "policies", "", "the `DIR` of the policies; none is what this binary was built with")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		var args []string
		if dir != "" {
			args = []string{dir}
		}
		bundle, where, err := loadBundle(cmd.Context(), args)
		if err != nil {
			return cannotLoad(cmd, where, err)
		}
		action, input, err := readQuestion(cmd.InOrStdin(), from)
		if err != nil {
			return err
		}
		why, err := bundle.Explain(cmd.Context(), action, input)
		if err != nil {
			return err
		}
		if !all {
			why = why.Brief()
		}
		if err := out.show(cmd, why, func(w io.Writer) error {
			_, err := io.WriteString(w, printableLines(why.Text(0)))
			return err
		}); err != nil {
			return err
		}
		if !why.Allow {
			return &exitError{code: exitNo}
		}
		return nil
	}
	return cmd
}

// readQuestion reads a question; its parts are the members of one object.
func readQuestion(stdin io.Reader, from string) (action string, in engine.Input, err error) {
	r := stdin
	if from != "-" {
		f, failed := os.Open(from)
		if failed != nil {
			return "", nil, fmt.Errorf("read the question: %w", failed)
		}
		defer func() { err = errors.Join(err, f.Close()) }()
		r = f
	}
	data, err := io.ReadAll(io.LimitReader(r, maxQuestion+1))
	if err != nil {
		return "", nil, fmt.Errorf("read the question: %w", err)
	}
	if len(data) > maxQuestion {
		return "", nil, fmt.Errorf("the question is larger than %d bytes", maxQuestion)
	}
	var parts map[string]json.RawMessage
	if err := json.Unmarshal(data, &parts); err != nil {
		return "", nil, fmt.Errorf("the question is no JSON object: %w", err)
	}
	for name, raw := range parts {
		part, err := engine.NewPart(name, raw)
		if err != nil {
			return "", nil, fmt.Errorf("read the question: %w", err)
		}
		in = append(in, part)
	}
	if err := json.Unmarshal(parts["action"], &action); err != nil {
		return "", nil, fmt.Errorf("the question's action is no string: %w", err)
	}
	return action, in, nil
}
