// Package facts owns what is known about a repository before any rule looks at
// it: it reads the tree once, parses every file of a kind that it knows, and
// makes one document of the results, [Facts], in which every value has its
// place in a file.
//
// Nothing is searched for as text. YAML, workflows, go.mod, Dockerfiles, shell
// scripts, Markdown and OpenAPI are parsed as their readers parse them, and
// kustomizations are rendered by kustomize itself. What cannot be read is a
// [Problem] with its file and line, and the rest is still read: nothing is
// skipped in silence.
//
// The package reads inside the tree alone, through os.Root: a link or a
// kustomization that leads out of it is a Problem. It opens no URL, starts no
// program, writes nothing and judges nothing: what a fact means is for the
// rules of policies/invariants.
package facts
