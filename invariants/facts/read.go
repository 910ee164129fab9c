package facts

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
)

// Read reads the tree at dir and parses what it knows. Whatever cannot be read
// inside the tree is one of Facts.Problems; the error is for a dir that cannot
// be opened, a tree without a file, and a ctx that ends. Equal trees give equal
// Facts. It uses as many goroutines as there are processors, and has ended
// them when it returns.
func Read(ctx context.Context, dir string, opts Options) (_ *Facts, err error) {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, fmt.Errorf("open the repository: %w", err)
	}
	defer func() { err = errors.Join(err, root.Close()) }()
	info, err := root.Stat(".")
	if err != nil {
		return nil, fmt.Errorf("open the repository: %w", err)
	}
	opts.MaxFileBytes = cmp.Or(opts.MaxFileBytes, defaultFileBytes)
	opts.MaxFiles = cmp.Or(opts.MaxFiles, defaultFiles)
	opts.Topology = cmp.Or(opts.Topology, "deploy/topology.yaml")
	t := &tree{root: root, opts: opts, facts: empty(opts.Binary)}
	if err := t.walk(ctx, ".", []os.FileInfo{info}); err != nil {
		return nil, fmt.Errorf("read the repository: %w", err)
	}
	t.include()
	if t.facts.Repository.Files == 0 {
		return nil, fmt.Errorf("read the repository: %s has no files: there are no facts", dir)
	}
	parsed, err := t.parseAll(ctx)
	if err != nil {
		return nil, fmt.Errorf("read the repository: %w", err)
	}
	sources := map[string]*source{}
	for _, p := range parsed {
		p.merge(t.facts, sources)
	}
	relateCode(t.facts, parsed)
	if t.schema, err = newSchema(); err != nil {
		return nil, err
	}
	t.facts.Manifests = t.checkManifests()
	t.relate(ctx, sources)
	if err := ctx.Err(); err != nil {
		return nil, fmt.Errorf("read the repository: %w", err)
	}
	slices.SortFunc(t.facts.Problems, func(a, b Problem) int {
		return cmp.Or(comparePlaces(a.Place, b.Place), cmp.Compare(a.Code, b.Code), cmp.Compare(a.Message, b.Message))
	})
	t.facts.Problems = slices.Compact(t.facts.Problems)
	return t.facts, nil
}

func comparePlaces(a, b Place) int {
	return cmp.Or(cmp.Compare(a.File, b.File), cmp.Compare(a.Line, b.Line), cmp.Compare(a.Column, b.Column))
}

// empty has every map, so that whoever fills in one need not ask.
func empty(binary Binary) *Facts {
	return &Facts{
		Files: map[string]File{}, Documents: map[string]*Document{}, Kinds: map[string][]string{}, Rendered: map[string]*Overlay{},
		Workloads: map[string][]Workload{}, RBAC: map[string]map[string][]Grant{}, Workflows: map[string]*Workflow{},
		Scripts: map[string]*Script{}, Code: map[string]*GoFile{}, Modules: map[string]*Module{}, Imports: map[string]Import{},
		Dockerfiles: map[string]*Dockerfile{}, Markdown: map[string]*Markdown{}, Binary: binary,
	}
}

// parsed is what one file gave.
type parsed struct {
	task
	size     int
	problems []Problem
	source   *source // of a YAML file
	markdown *Markdown
	module   *Module
	imports  []goImport
	code     *goCode
	docker   *Dockerfile
	script   *Script
	tools    []Tool
}

// parseAll parses every task, in parallel; the results are in the tasks' order.
func (t *tree) parseAll(ctx context.Context) ([]*parsed, error) {
	results := make([]*parsed, len(t.tasks))
	var next atomic.Int64
	var wg sync.WaitGroup
	for range min(runtime.GOMAXPROCS(0), len(t.tasks)) {
		wg.Go(func() {
			for i := int(next.Add(1)) - 1; i < len(t.tasks) && ctx.Err() == nil; i = int(next.Add(1)) - 1 {
				results[i] = t.parse(t.tasks[i])
			}
		})
	}
	wg.Wait()
	return results, ctx.Err()
}

// parse reads and parses one file.
func (t *tree) parse(job task) *parsed {
	out := &parsed{task: job}
	data, problem := t.read(job.path)
	if problem != nil {
		out.problems = append(out.problems, *problem)
		return out
	}
	out.size = len(data)
	switch job.kind {
	case kindYAML:
		out.source = parseYAML(job.path, data)
		out.source.forget()
		out.problems = out.source.problems
	case kindMarkdown:
		out.markdown = parseMarkdown(job.path, string(data))
	case kindModule:
		out.module, out.problems = parseModule(job.path, data)
	case kindGo:
		out.imports, out.problems = parseImports(job.path, data)
		if t.inCode(job.path) && len(out.problems) == 0 {
			out.code, out.problems = parseCode(job.path, data)
		}
	case kindDockerfile:
		out.docker, out.problems = parseDockerfile(job.path, string(data))
	case kindScript:
		out.script = parseScript(job.path, string(data), 1, false)
	case kindTool:
		out.tools = parseTools(job.path, string(data))
	}
	return out
}

// merge adds the file's facts.
func (p *parsed) merge(f *Facts, sources map[string]*source) {
	f.Problems = append(f.Problems, p.problems...)
	if p.size > 0 {
		f.Repository.Read++
		f.Repository.Bytes += p.size
	}
	switch {
	case p.source != nil:
		sources[p.path] = p.source
		for _, d := range p.source.documents {
			f.Documents[d.ID] = d
			f.Kinds[d.Kind] = append(f.Kinds[d.Kind], d.ID)
		}
	case p.markdown != nil:
		f.Markdown[p.path] = p.markdown
	case p.module != nil:
		f.Modules[p.path] = p.module
	case p.docker != nil:
		f.Dockerfiles[p.path] = p.docker
	case p.script != nil:
		f.Scripts[p.path] = p.script
	}
	f.Tools = append(f.Tools, p.tools...)
	for _, i := range p.imports {
		known, ok := f.Imports[i.path]
		if !ok || known.Test && !i.Test {
			f.Imports[i.path] = i.Import
		}
	}
}

// relate makes the facts that follow from several files.
func (t *tree) relate(ctx context.Context, sources map[string]*source) {
	f := t.facts
	for _, file := range sortedKeys(sources) {
		s := sources[file]
		for _, d := range s.documents {
			if isWorkflow(file) && d.Within == nil {
				f.Workflows[file] = readWorkflow(s, d)
			}
			f.OpenAPI = append(f.OpenAPI, readOpenAPI(d)...)
		}
	}
	for _, id := range sortedKeys(f.Documents) {
		if d := f.Documents[id]; d.File == t.opts.Topology && d.Within == nil {
			f.Topology = &Topology{Document: id, Value: t.schema.topology(t, d)}
			break
		}
	}
	f.Autonomy = readAutonomy(sources, f.Markdown)
	resources := sourceResources(f)
	f.Workloads[sourceScope] = workloads(sourceScope, resources)
	f.RBAC[sourceScope] = grants(resources)
	t.render(ctx, sources)
}
