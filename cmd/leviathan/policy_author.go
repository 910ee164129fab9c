package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"leviathan/gateway"
	"leviathan/gateway/engine"
	"leviathan/gateway/engine/authoring"
	"leviathan/policies"
)

// maxKey bounds the file of a key.
const maxKey = 1 << 16

// policyAuthoring are the commands for who writes policies.
func (o operator) policyAuthoring() []*cobra.Command {
	return []*cobra.Command{o.policyFmt(), o.policyLint(), o.policyNew(), o.policyBuild(), o.policySign(), o.policyDocs()}
}

// readPolicies reads the policy files of a folder, or those that the binary
// has, whether or not they load.
func readPolicies(args []string) (files map[string][]byte, where string, err error) {
	if len(args) == 0 {
		files, err = authoring.ReadSources(policies.FS)
		return files, embeddedDir, err
	}
	files, err = authoring.ReadSources(os.DirFS(args[0]))
	if err != nil {
		err = fmt.Errorf("%s: %w", args[0], err)
	}
	return files, args[0], err
}

// loadAny loads a folder or an archive, or the bundle that the binary has.
func loadAny(ctx context.Context, args []string) (s *engine.Snapshot, where string, err error) {
	if len(args) == 0 || !isArchiveName(args[0]) {
		return loadBundle(ctx, args)
	}
	archive, err := readAtMost(args[0], 64<<20)
	if err != nil {
		return nil, args[0], fmt.Errorf("read the bundle: %w", err)
	}
	s, err = engine.LoadBytes(ctx, archive, engine.Options{})
	return s, args[0], err
}

func isArchiveName(name string) bool {
	return strings.HasSuffix(name, ".tar.gz") || strings.HasSuffix(name, ".tgz")
}

func readAtMost(name string, most int64) (data []byte, err error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	if data, err = io.ReadAll(io.LimitReader(f, most+1)); err == nil && int64(len(data)) > most {
		err = fmt.Errorf("%s is larger than %d bytes", name, most)
	}
	return data, err
}

func (o operator) policyFmt() *cobra.Command {
	var write bool
	cmd := &cobra.Command{
		Use:   "fmt DIR",
		Short: "List the policy files that are not formatted; with --write, format them",
		Long: "List the policy files that are not formatted as opa fmt does it; the exit code is 1 if there are any.\n" +
			"With --write they are formatted. Nothing else is touched.",
		Args: named("DIR"),
	}
	cmd.Flags().BoolVarP(&write, "write", "w", false, "rewrite the files that are listed")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		files, where, err := readPolicies(args)
		if err != nil {
			return err
		}
		changed, problems := authoring.Format(files)
		if len(problems) > 0 {
			if err := writeProblems(cmd.ErrOrStderr(), where, problems); err != nil {
				return err
			}
			return &exitError{code: exitUsage, err: fmt.Errorf("%s that cannot be parsed; nothing was formatted", plural(len(problems), "place"))}
		}
		for _, name := range slices.Sorted(maps.Keys(changed)) {
			file := filepath.Join(where, filepath.FromSlash(name))
			if write {
				if err := rewrite(file, changed[name]); err != nil {
					return fmt.Errorf("format %s: %w", file, err)
				}
			}
			if _, err := fmt.Fprintln(cmd.OutOrStdout(), printable(file)); err != nil {
				return err
			}
		}
		if len(changed) > 0 && !write {
			return &exitError{code: exitNo}
		}
		return nil
	}
	return cmd
}

// rewrite replaces a file as a whole: a reader sees the old or the new text.
func rewrite(file string, text []byte) (err error) {
	mode := fs.FileMode(0o644)
	if info, err := os.Stat(file); err == nil {
		mode = info.Mode().Perm()
	}
	next, err := os.CreateTemp(filepath.Dir(file), ".leviathan-*")
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, os.Remove(next.Name()))
		}
	}()
	_, werr := next.Write(text)
	if err := errors.Join(werr, next.Chmod(mode), next.Close()); err != nil {
		return err
	}
	return os.Rename(next.Name(), file)
}

func (o operator) policyLint() *cobra.Command {
	var out format
	cmd := &cobra.Command{
		Use:   "lint [DIR]",
		Short: "Hold the policy files to the rules of this project",
		Long: "Hold the policy files to what is asked of them beyond what compiles: complete METADATA, codes named\n" +
			"<package>.<snake_case> after their own package, one folder for each package with a test beside it, no\n" +
			"print, no helper that nothing reads. Without DIR: the policies that this binary was built with.",
		Args: named("[DIR]"),
	}
	out.flag(cmd)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		files, where, err := readPolicies(args)
		if err != nil {
			return err
		}
		list := struct {
			Items []gateway.Diagnostic `json:"items"`
		}{append([]gateway.Diagnostic{}, authoring.Lint(files)...)}
		if err := out.show(cmd, list, func(w io.Writer) error { return writeProblems(w, where, list.Items) }); err != nil {
			return err
		}
		if len(list.Items) > 0 {
			return &exitError{code: exitNo}
		}
		return nil
	}
	return cmd
}

func (o operator) policyNew() *cobra.Command {
	return &cobra.Command{
		Use:   "new RULE [DIR]",
		Short: "Write a new rule and its test, to begin with",
		Long: "Write a rule with the code RULE, such as custom.no_friday, and its test into the policies in DIR, by\n" +
			"default " + embeddedDir + ". The rule denies nothing until a target is put into its set. No file is overwritten.",
		Args:    named("RULE", "[DIR]"),
		Example: "leviathan policy new custom.no_friday policies",
		RunE: func(cmd *cobra.Command, args []string) error {
			dir := embeddedDir
			if len(args) == 2 {
				dir = args[1]
			}
			files, where, err := readPolicies([]string{dir})
			if err != nil {
				return err
			}
			written, err := authoring.NewRule(args[0], files)
			if err != nil {
				return err
			}
			for _, name := range slices.Sorted(maps.Keys(written)) {
				file := filepath.Join(where, filepath.FromSlash(name))
				if err := create(file, written[name]); err != nil {
					return fmt.Errorf("new rule: %w", err)
				}
				if _, err := fmt.Fprintln(cmd.OutOrStdout(), printable(file)); err != nil {
					return err
				}
			}
			return nil
		},
	}
}

// create writes a file that must not be there.
func create(file string, text []byte) error {
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		return err
	}
	f, err := os.OpenFile(file, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
	if err != nil {
		return err
	}
	_, err = f.Write(text)
	return errors.Join(err, f.Close())
}

func (o operator) policyBuild() *cobra.Command {
	var opts authoring.BuildOptions
	file := "bundle.tar.gz"
	cmd := &cobra.Command{
		Use:   "build [DIR]",
		Short: "Pack policies into a bundle that the gateway and any OPA load",
		Long: "Pack the policies in DIR into one tar.gz; equal policies give equal bytes. What does not load is not\n" +
			"packed. The bundle is not signed: see policy sign. Without DIR: the policies that this binary was built with.",
		Args: named("[DIR]"),
	}
	cmd.Flags().StringVarP(&file, "output-file", "o", file, "the `FILE` to write, which ends in .tar.gz")
	cmd.Flags().StringVar(&opts.Revision, "revision", "", "the `REVISION` of the bundle; none is what the manifest says")
	cmd.Flags().BoolVar(&opts.WithoutTests, "without-tests", false, "leave the tests out; such a bundle does not pass the gate of a gateway that runs them")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if !isArchiveName(file) {
			return fmt.Errorf("-o %s does not end in .tar.gz", file)
		}
		bundle, where, err := loadBundle(cmd.Context(), args)
		if err != nil {
			return cannotLoad(cmd, where, err)
		}
		files, err := authoring.Build(bundle.Files(), opts)
		if err != nil {
			return err
		}
		packed, err := authoring.Pack(files)
		if err != nil {
			return err
		}
		built, err := engine.LoadBytes(cmd.Context(), packed, engine.Options{})
		if err != nil {
			return cannotLoad(cmd, where, err)
		}
		if err := rewrite(file, packed); err != nil {
			return fmt.Errorf("write the bundle: %w", err)
		}
		_, err = fmt.Fprintf(cmd.OutOrStdout(), "%s: revision %s, %s, %s\n", printable(file), printable(built.Revision()), plural(len(files), "file"), built.Digest())
		return err
	}
	return cmd
}

func (o operator) policySign() *cobra.Command {
	var keyFile, algorithm, id string
	cmd := &cobra.Command{
		Use:   "sign BUNDLE",
		Short: "Sign a bundle, a folder or a tar.gz, with a private key",
		Long: "Write .signatures.json into the bundle, as opa sign makes it, in place of the one that is there. BUNDLE\n" +
			"is a folder or a tar.gz, which is packed anew.",
		Args:    named("BUNDLE"),
		Example: "leviathan policy sign --key signing.pem --key-id ours bundle.tar.gz",
	}
	cmd.Flags().StringVar(&keyFile, "key", "", "`FILE` with the private key in PEM: RSA of 2048 bits or more, or P-256")
	cmd.Flags().StringVar(&algorithm, "alg", "", "`RS256|ES256`; none is what the key is good for")
	cmd.Flags().StringVar(&id, "key-id", "", "the `ID` that the signature gives its key")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if keyFile == "" {
			return errors.New("--key is missing: the file of the private key")
		}
		text, err := readAtMost(keyFile, maxKey)
		if err != nil {
			return fmt.Errorf("read the signing key: %w", err)
		}
		key, err := authoring.ParseSigningKey(text, algorithm)
		if err != nil {
			return fmt.Errorf("%s: %w", keyFile, err)
		}
		bundle, where, err := loadAny(cmd.Context(), args)
		if err != nil {
			return cannotLoad(cmd, where, err)
		}
		signed, err := authoring.Sign(bundle.Files(), key, id)
		if err != nil {
			return err
		}
		if err := writeSigned(where, signed); err != nil {
			return fmt.Errorf("write the signature: %w", err)
		}
		_, err = fmt.Fprintf(cmd.OutOrStdout(), "%s: signed with %s, %s\n", printable(where), key, bundle.Digest())
		return err
	}
	return cmd
}

// writeSigned writes the signature where the bundle is.
func writeSigned(where string, signed map[string][]byte) error {
	if !isArchiveName(where) {
		return rewrite(filepath.Join(where, authoring.SignatureFile), signed[authoring.SignatureFile])
	}
	packed, err := authoring.Pack(signed)
	if err != nil {
		return err
	}
	return rewrite(where, packed)
}

func (o operator) policyDocs() *cobra.Command {
	return &cobra.Command{
		Use:   "docs [BUNDLE]",
		Short: "Show the codes of a bundle, a folder or a tar.gz, as a page in Markdown",
		Long: "Show every code by which something may be denied as a page in Markdown, from the METADATA of the rules.\n" +
			"Links are relative to the bundle. Without BUNDLE: the policies that this binary was built with.",
		Args: named("[BUNDLE]"),
		RunE: func(cmd *cobra.Command, args []string) error {
			bundle, where, err := loadAny(cmd.Context(), args)
			if err != nil {
				return cannotLoad(cmd, where, err)
			}
			page := codesOf(bundle.Codes(), engine.Failures())
			page = bytes.ReplaceAll(page, []byte(madeBy), nil)
			page = bytes.ReplaceAll(page, []byte("](../"+embeddedDir+"/"), []byte("]("))
			_, err = io.WriteString(cmd.OutOrStdout(), printableLines(string(page)))
			return err
		},
	}
}
