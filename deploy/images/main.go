package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"time"
)

// names are the images, which differ by their labels alone.
var names = []string{"leviathan-control-plane", "leviathan-worker"}

// tag is the tag that they have before a registry gives them a digest.
const tag = "local"

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if err := run(ctx, os.Args[1:], os.Stdout, os.Stderr); err != nil {
		fmt.Fprintln(os.Stderr, "images:", err)
		os.Exit(2)
	}
}

// run does one command. Everything it says on out can be read by a script.
func run(ctx context.Context, args []string, out, help io.Writer) error {
	if len(args) == 0 {
		return fmt.Errorf("give a command: build, push or pin")
	}
	f := flag.NewFlagSet("images "+args[0], flag.ContinueOnError)
	f.SetOutput(help)
	switch args[0] {
	case "build":
		return runBuild(f, args[1:], out)
	case "push":
		in := f.String("in", "", "`DIR` that build wrote to")
		registry := f.String("registry", "", "registry, and what stands before the image's name there")
		plain := f.Bool("http", false, "speak plain HTTP to the registry, for one on this machine")
		if err := parse(f, args[1:], "in", "registry"); err != nil {
			return err
		}
		return push(ctx, *in, *registry, *plain, out)
	case "pin":
		var p pins
		in := f.String("in", "", "`DIR` that build wrote to")
		to := f.String("out", "", "`DIR` to write kustomization.yaml to")
		f.StringVar(&p.Overlay, "overlay", "", "`DIR` of the overlay that has the placeholders")
		f.StringVar(&p.Registry, "registry", "", "registry, and what stands before the image's name there")
		f.StringVar(&p.Worker, "worker", "", "the workers' image, by digest: your own, made as deploy/worker.Dockerfile shows")
		if err := parse(f, args[1:], "in", "out", "overlay", "registry", "worker"); err != nil {
			return err
		}
		return pin(*in, *to, p)
	}
	return fmt.Errorf("there is no command %q: build, push or pin", args[0])
}

// parse reads the flags and asks for those that have no default.
func parse(f *flag.FlagSet, args []string, required ...string) error {
	if err := f.Parse(args); err != nil {
		return err
	}
	if f.NArg() > 0 {
		return fmt.Errorf("%s takes no argument: %q", f.Name(), f.Arg(0))
	}
	for _, name := range required {
		if f.Lookup(name).Value.String() == "" {
			return fmt.Errorf("%s needs -%s", f.Name(), name)
		}
	}
	return nil
}

func runBuild(f *flag.FlagSet, args []string, out io.Writer) error {
	var r release
	binary := f.String("binary", "", "static binary, a `FILE`")
	to := f.String("out", "", "`DIR` for layouts, archives and SBOMs")
	created := f.Int64("created", 0, "time of everything in the images, in seconds since 1970")
	f.StringVar(&r.version, "version", "", "the release")
	f.StringVar(&r.revision, "revision", "", "the commit that it was built from, if that is known")
	if err := parse(f, args, "binary", "out", "version"); err != nil {
		return err
	}
	r.created = time.Unix(*created, 0).UTC()
	if err := r.open(*binary); err != nil {
		return err
	}
	for _, name := range names {
		digest, err := r.write(*to, name)
		if err != nil {
			return fmt.Errorf("writing %s: %w", name, err)
		}
		fmt.Fprintf(out, "%s:%s %s %s\n", name, tag, digest, filepath.Join(*to, name))
	}
	return nil
}

// trimmed is a registry without what a hand leaves at its end.
func trimmed(registry string) string { return strings.TrimRight(registry, "/") }
