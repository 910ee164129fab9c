package facts

import (
	"context"
	"errors"
	"fmt"
	"path"
	"slices"
	"strconv"
	"strings"
	"sync"

	"go.yaml.in/yaml/v3"
	"sigs.k8s.io/kustomize/api/krusty"
	"sigs.k8s.io/kustomize/api/resmap"
)

// kustomizationNames are the files that make a folder a kustomization.
var kustomizationNames = []string{"kustomization.yaml", "kustomization.yml", "Kustomization"}

// render renders every kustomization of the tree.
func (t *tree) render(ctx context.Context, sources map[string]*source) {
	plan := kustomizations(t, sources)
	included := map[string]bool{}
	for _, k := range plan {
		for _, dir := range k.includes {
			included[dir] = true
		}
	}
	faulty := map[string]bool{}
	for _, fault := range t.facts.Manifests.Faults {
		faulty[fault.Document] = true
	}
	var lock sync.Mutex
	var wg sync.WaitGroup
	turns := make(chan struct{}, 2)
	for dir, k := range plan {
		overlay := &Overlay{File: k.file, Kind: k.kind, Base: included[dir], Names: k.names}
		t.facts.Rendered[dir] = overlay
		if ctx.Err() != nil {
			continue
		}
		if blocked := blocked(plan, dir, nil); blocked != nil {
			lock.Lock()
			t.facts.Problems = append(t.facts.Problems, blocked...)
			lock.Unlock()
			continue
		}
		// A component has no resources of its own, and a base is rendered as a
		// part of what includes it: alone it may lack what that adds.
		if k.kind == "Component" || overlay.Base {
			continue
		}
		wg.Go(func() {
			turns <- struct{}{}
			defer func() { <-turns }()
			resources, problems, err := t.overlay(k, dir, overlay, sources, faulty)
			made, granted := workloads(dir, resources), grants(resources)
			lock.Lock()
			defer lock.Unlock()
			t.facts.Problems = append(t.facts.Problems, problems...)
			if err != nil {
				t.facts.Problems = append(t.facts.Problems, Problem{Place{k.file, 1, 1}, "kustomize_failed", "kustomize cannot render this: " + err.Error()})
				return
			}
			t.facts.Workloads[dir], t.facts.RBAC[dir] = made, granted
		})
	}
	wg.Wait()
}

// overlay renders one kustomization into its facts.
func (t *tree) overlay(k *kustomization, dir string, into *Overlay, sources map[string]*source, faulty map[string]bool) (resources []resource, problems []Problem, err error) {
	var plain bool
	if resources, into.Reads, plain = t.plainly(k, dir, sources, faulty); !plain {
		view := &treeFS{root: t.root, limit: t.opts.MaxFileBytes, reads: map[string]bool{}}
		if k.traceable {
			view.traced = k.file
		}
		resources, err = runKustomize(view, dir)
		into.Reads = sortedKeys(view.reads)
		if err != nil {
			return nil, nil, err
		}
		relateOrigins(resources, dir, into, sources)
		problems = t.schema.rendered(resources)
	}
	into.OK = true
	for _, r := range resources {
		into.Documents = append(into.Documents, r.Resource)
	}
	return resources, problems, nil
}

// relateOrigins finds the document that each rendered resource was made of.
func relateOrigins(resources []resource, dir string, overlay *Overlay, sources map[string]*source) {
	inFile := map[string][]*Document{}
	for _, file := range overlay.Reads {
		if sources[file] == nil {
			continue
		}
		for _, d := range sources[file].documents {
			if d.Kind != "" && d.Within == nil {
				inFile[file] = append(inFile[file], d)
			}
		}
	}
	for i := range resources {
		r := &resources[i]
		r.file = overlay.File
		if r.origin = originOf(r, dir, inFile); r.origin != nil {
			r.Document = r.origin.ID
			r.Value, _ = shared(r.Value, r.origin.Value)
		}
	}
}

// shared is the value with every mapping and list that is equal to its
// counterpart replaced by that: most of what kustomize renders is what it read,
// and what is one value takes memory once, here and in all that is made of it.
func shared(value, like any) (_ any, equal bool) {
	switch v := value.(type) {
	case map[string]any:
		other, ok := like.(map[string]any)
		if !ok {
			return value, false
		}
		equal = len(v) == len(other)
		for key, member := range v {
			one, same := shared(member, other[key])
			_, known := other[key]
			v[key], equal = one, equal && same && known
		}
	case []any:
		other, ok := like.([]any)
		if !ok {
			return value, false
		}
		equal = len(v) == len(other)
		for i := range v {
			if i >= len(other) {
				break
			}
			one, same := shared(v[i], other[i])
			v[i], equal = one, equal && same
		}
	default:
		switch like.(type) {
		case map[string]any, []any:
			return value, false
		}
		return value, value == like
	}
	if equal {
		return like, true
	}
	return value, false
}

// originAnnotation is where kustomize notes of which file a resource is made.
const originAnnotation = "config.kubernetes.io/origin"

// originOf finds the document that a resource was made of, and takes
// kustomize's note of it out of the resource. Without a note every file that
// was read comes into question. Prefixes and suffixes only add to a name.
func originOf(r *resource, dir string, inFile map[string][]*Document) (best *Document) {
	files := sortedKeys(inFile)
	if annotations := object(r.Value, "metadata", "annotations"); annotations != nil {
		if note, ok := annotations[originAnnotation].(string); ok {
			delete(annotations, originAnnotation)
			if len(annotations) == 0 {
				delete(object(r.Value, "metadata"), "annotations")
			}
			var from struct {
				Path string `yaml:"path"`
			}
			if yaml.Unmarshal([]byte(note), &from) != nil || from.Path == "" {
				return nil // made by a generator
			}
			files = []string{path.Join(dir, from.Path)}
		}
	}
	for _, file := range files {
		for _, d := range inFile[file] {
			if d.Kind == r.Kind && strings.Contains(r.Name, d.Name) &&
				(best == nil || len(d.Name) > len(best.Name) || len(d.Name) == len(best.Name) && d.ID < best.ID) {
				best = d
			}
		}
	}
	return best
}

// runKustomize renders a folder.
func runKustomize(view *treeFS, dir string) (out []resource, err error) {
	defer func() {
		if r := recover(); r != nil { // a fault of the library is this kustomization's
			err = fmt.Errorf("kustomize panicked: %v", r)
		}
	}()
	options := krusty.MakeDefaultOptions()
	var result resmap.ResMap
	if result, err = krusty.MakeKustomizer(options).Run(view, path.Join("/", dir)); err != nil {
		return nil, err
	}
	for _, r := range result.Resources() {
		value, err := renderedValue(r.YNode())
		if err != nil {
			return nil, fmt.Errorf("read %s: %w", r.CurId(), err)
		}
		out = append(out, resource{Resource: Resource{Kind: r.GetKind(),
			APIVersion: textAt(value, "apiVersion"), Name: r.GetName(), Namespace: textAt(value, "metadata", "namespace"), Value: value}})
	}
	return out, nil
}

// renderedValue is a node that kustomize made as JSON. It has no aliases: they
// are resolved when it reads a file.
func renderedValue(n *yaml.Node) (any, error) {
	s := &source{}
	c := nodeConverter{source: s}
	value := c.value(n, "", nil, 0)
	if len(s.problems) > 0 {
		return nil, errors.New(s.problems[0].Message)
	}
	return value, nil
}

// A kustomization is what a kustomization file says about other files.
type kustomization struct {
	file, kind string
	includes   []string          // folders of other kustomizations
	names      map[string]string // the field that names each path
	traceable  bool              // a key can be added behind its last line
	problems   []Problem         // why it is not rendered
}

// kustomizations finds them all and looks at every path that they name, so
// that nothing outside of the tree, and no address, ever reaches kustomize.
func kustomizations(t *tree, sources map[string]*source) map[string]*kustomization {
	found := map[string]*kustomization{}
	for _, file := range sortedKeys(sources) {
		if !slices.Contains(kustomizationNames, path.Base(file)) {
			continue
		}
		dir := path.Dir(file)
		k := &kustomization{file: file, kind: "Kustomization", names: map[string]string{}}
		found[dir] = k
		if len(sources[file].documents) != 1 {
			k.problem(Place{file, 1, 1}, "kustomize_failed", "a kustomization file is exactly one document that can be read")
			continue
		}
		d := sources[file].documents[0]
		if kind := textAt(d.Value, "kind"); kind != "" {
			k.kind = kind
		}
		root := sources[file].nodes[d.ID]
		k.traceable = root.Kind == yaml.MappingNode && root.Style&yaml.FlowStyle == 0 && root.Column == 1 &&
			find(d.Value, "buildMetadata") == nil && !slices.Contains(sources[file].lines, "...")
		for _, field := range []string{"resources", "bases", "components"} {
			for i, entry := range list(d.Value, field) {
				k.path(t, d, dir, fmt.Sprintf("/%s/%d", field, i), entry, true)
			}
		}
		for _, field := range []string{"crds", "configurations", "generators", "transformers", "validators", "patchesStrategicMerge"} {
			for i, entry := range list(d.Value, field) {
				k.path(t, d, dir, fmt.Sprintf("/%s/%d", field, i), entry, false)
			}
		}
		for _, field := range []string{"patches", "patchesJson6902", "replacements"} {
			for i, entry := range list(d.Value, field) {
				k.path(t, d, dir, fmt.Sprintf("/%s/%d/path", field, i), find(entry, "path"), false)
			}
		}
		for _, field := range []string{"configMapGenerator", "secretGenerator"} {
			for i, entry := range list(d.Value, field) {
				k.generator(t, d, dir, "/"+field+"/"+strconv.Itoa(i), entry)
			}
		}
		k.path(t, d, dir, "/openapi/path", find(d.Value, "openapi", "path"), false)
		for _, field := range []string{"helmCharts", "helmChartInflationGenerator", "helmGlobals"} {
			if find(d.Value, field) != nil {
				k.problem(d.place("/"+field), "kustomize_remote", field+" needs the helm program and charts from elsewhere; render it before and commit the result")
			}
		}
	}
	return found
}

func (k *kustomization) problem(at Place, code, message string) {
	k.problems = append(k.problems, Problem{at, code, message})
}

func (k *kustomization) generator(t *tree, d *Document, dir, pointer string, entry any) {
	for _, field := range []string{"files", "envs"} {
		for i, item := range list(entry, field) {
			name, _ := item.(string)
			if _, after, ok := strings.Cut(name, "="); ok && field == "files" {
				name = after
			}
			k.path(t, d, dir, fmt.Sprintf("%s/%s/%d", pointer, field, i), name, false)
		}
	}
	k.path(t, d, dir, pointer+"/env", find(entry, "env"), false)
}

// path checks one path that a kustomization names. A text of several lines is
// an inline patch or an inline resource.
func (k *kustomization) path(t *tree, d *Document, dir, pointer string, value any, folder bool) {
	name, ok := value.(string)
	if !ok || name == "" || strings.Contains(name, "\n") {
		return
	}
	at := d.place(pointer)
	if strings.Contains(name, "://") || strings.HasPrefix(name, "git@") || strings.HasPrefix(name, "git::") {
		k.problem(at, "kustomize_remote", fmt.Sprintf("%s is not a file of this tree; commit a copy and name that", name))
		return
	}
	clean := path.Join(dir, name)
	if path.IsAbs(name) || clean == ".." || strings.HasPrefix(clean, "../") {
		k.problem(at, "kustomize_outside", name+" points outside of the tree")
		return
	}
	info, err := t.root.Stat(clean)
	if err != nil {
		k.problem(at, "kustomize_failed", fmt.Sprintf("%s names %s, which is not in the tree: %s", k.file, name, reason(err)))
		return
	}
	k.names[clean] = strings.SplitN(pointer, "/", 3)[1]
	if folder && info.IsDir() {
		k.includes = append(k.includes, clean)
	}
}

// blocked are the problems that keep a kustomization, or one that it
// includes, from being rendered.
func blocked(plan map[string]*kustomization, dir string, above []string) (problems []Problem) {
	k := plan[dir]
	if k == nil {
		return nil // kustomize itself says that there is none
	}
	problems = slices.Clone(k.problems)
	if slices.Contains(above, dir) {
		return append(problems, Problem{Place{k.file, 1, 1}, "kustomize_failed", "the kustomization includes itself: " + strings.Join(append(above, dir), " → ")})
	}
	for _, next := range k.includes {
		problems = append(problems, blocked(plan, next, append(slices.Clip(above), dir))...)
	}
	return problems
}
