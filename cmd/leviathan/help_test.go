package main

import (
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/spf13/cobra"
)

// walkCommands calls visit with root and each command below it that is
// Leviathan's own: completion and help are cobra's.
func walkCommands(cmd *cobra.Command, visit func(*cobra.Command)) {
	visit(cmd)
	for _, sub := range cmd.Commands() {
		if name := sub.Name(); name != "help" && name != "completion" {
			walkCommands(sub, visit)
		}
	}
}

// Each command says in a line what it is, in some more what it does and what
// to know before, and shows how it is called.
func TestEveryCommandExplainsItself(t *testing.T) {
	for _, name := range []string{"leviathan", ctlName} {
		walkCommands(rootAs(name), func(cmd *cobra.Command) {
			path := cmd.CommandPath()
			if cmd.Short == "" || strings.HasSuffix(cmd.Short, ".") || strings.Contains(cmd.Short, "\n") {
				t.Errorf("%s: Short is %q: it is one line without a stop", path, cmd.Short)
			}
			if long := strings.TrimSpace(cmd.Long); len(strings.Fields(long)) < 6 || long == cmd.Short {
				t.Errorf("%s: Long is %q: it says nothing that Short does not", path, cmd.Long)
			}
			if strings.TrimSpace(cmd.Example) == "" {
				t.Errorf("%s has no example", path)
			}
		})
	}
}

// Each page of the manual is of a command that exists, and is what its help
// says.
func TestTheManualIsOfCommandsThatExist(t *testing.T) {
	root := newRoot()
	for _, pages := range []map[string]manual{manualOfRunning, manualOfLooking, manualOfActing, manualOfChecking} {
		for path, page := range pages {
			cmd, rest, err := root.Find(strings.Fields(path))
			if err != nil || len(rest) > 0 {
				t.Errorf("there is no command %q: %v", path, err)
				continue
			}
			if page.long != "" && cmd.Long != page.long || page.example != "" && !strings.Contains(cmd.Example, strings.Split(page.example, "\n")[0]) {
				t.Errorf("%q has a text of its own beside the manual's", path)
			}
		}
	}
}

// parts are the commands of a line of a shell, without what they are piped to.
var parts = regexp.MustCompile(`\s*(?:\||&&|>|<)\s*`)

// Each example is of a command and flags that exist, with the arguments that
// it takes; one of a command's examples is of the command itself or of one
// below it.
func TestEveryExampleNamesWhatExists(t *testing.T) {
	seen := 0
	for _, name := range []string{"leviathan", ctlName} {
		walkCommands(rootAs(name), func(cmd *cobra.Command) {
			own := false
			for line := range strings.Lines(cmd.Example) {
				for _, part := range parts.Split(strings.TrimSpace(line), -1) {
					words := shellWords(part)
					i := slices.IndexFunc(words, func(w string) bool { return strings.TrimPrefix(w, "./") == name })
					if i < 0 || strings.HasPrefix(part, "ln ") {
						continue
					}
					seen++
					root := rootAs(name)
					found, rest, err := root.Find(words[i+1:])
					if err != nil || !found.Runnable() && found.HasParent() {
						t.Errorf("%s: the example %q names no command: %v", cmd.CommandPath(), part, err)
						continue
					}
					own = own || found.CommandPath() == cmd.CommandPath() || strings.HasPrefix(found.CommandPath(), cmd.CommandPath()+" ")
					if err := found.ParseFlags(rest); err != nil {
						t.Errorf("%s: the example %q: %v", cmd.CommandPath(), part, err)
						continue
					}
					if err := found.ValidateArgs(found.Flags().Args()); err != nil {
						t.Errorf("%s: the example %q: %v", cmd.CommandPath(), part, err)
					}
				}
			}
			if !own && cmd.Example != "" {
				t.Errorf("%s: none of its examples is of it: %q", cmd.CommandPath(), cmd.Example)
			}
		})
	}
	if seen < 70 {
		t.Errorf("only %d examples were looked at", seen)
	}
}

// shellWords splits a line as a shell does, with quotes of both kinds.
func shellWords(line string) (words []string) {
	var word strings.Builder
	quote, in := rune(0), false
	for _, r := range line {
		switch {
		case quote != 0 && r == quote:
			quote = 0
		case quote == 0 && (r == '\'' || r == '"'):
			quote, in = r, true
		case quote == 0 && r == ' ':
			if in {
				words = append(words, word.String())
				word.Reset()
			}
			in = false
		default:
			in = true
			word.WriteRune(r)
		}
	}
	if in {
		words = append(words, word.String())
	}
	return words
}
