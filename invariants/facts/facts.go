package facts

// Facts is the document that the rules see: each field is a key of their
// input. Its JSON schema, docs/invariants_facts.schema.json, is generated from
// these types; the text of a field's doc tag is its description there.
//
// Paths are slash-separated and relative to the root. Lines and columns count
// from 1; columns are bytes. Lists are never null. Keys of maps named
// "document" are those of Documents.
type Facts struct {
	Repository  Repository                    `json:"repository" doc:"the tree as a whole: limits, and what was left out"`
	Files       map[string]File               `json:"files" doc:"every file and folder that is not left out, by path; folders end without a slash"`
	Problems    []Problem                     `json:"problems" doc:"what could not be read, or only in part; each is a violation of the category tree"`
	Documents   map[string]*Document          `json:"documents" doc:"every YAML document, by id: file#index, and file#index/pointer/to/key for one inside a ConfigMap's data"`
	Kinds       map[string][]string           `json:"kinds" doc:"ids of documents by their kind, in order of file and line; documents without a kind are under the empty string"`
	Rendered    map[string]*Overlay           `json:"rendered" doc:"each kustomization as kustomize renders it, by its folder"`
	Manifests   Manifests                     `json:"manifests" doc:"how documents with a kind fit the schema of Kubernetes"`
	Workloads   map[string][]Workload         `json:"workloads" doc:"everything that has a pod template, flattened, by scope: the scope source has the files as they are, each other scope is the folder of a kustomization"`
	RBAC        map[string]map[string][]Grant `json:"rbac" doc:"what each subject may do, by scope and then subject, such as ServiceAccount/leviathan/scheduler or Group/system:masters"`
	Workflows   map[string]*Workflow          `json:"workflows" doc:"GitHub workflows by file, as GitHub reads them"`
	Scripts     map[string]*Script            `json:"scripts" doc:"shell scripts by file: *.sh, and files with a shell's shebang in hidden folders or without an extension"`
	Modules     map[string]*Module            `json:"modules" doc:"go.mod files, and others that end in .mod, by file"`
	Imports     map[string]Import             `json:"imports" doc:"every package outside the standard library that Go files import, with one place of it"`
	Code        map[string]*GoFile            `json:"code" doc:"Go files of the folders that the settings name under code, not of those below them, by file"`
	Tools       []Tool                        `json:"tools" doc:"versions of tools that files of their own give: .tool-versions, .go-version, .nvmrc and the like"`
	Dockerfiles map[string]*Dockerfile        `json:"dockerfiles" doc:"Dockerfile, Dockerfile.*, *.Dockerfile and Containerfile, by file"`
	Markdown    map[string]*Markdown          `json:"markdown" doc:"Markdown files by file"`
	OpenAPI     []Endpoint                    `json:"openapi" doc:"every operation of every OpenAPI document, in order"`
	Topology    *Topology                     `json:"topology" doc:"the topology file, null when there is none"`
	Autonomy    []AutonomyConfig              `json:"autonomy" doc:"every autonomy config: in files, in ConfigMaps and in Markdown, as the gateway's own loader reads it"`
	Binary      Binary                        `json:"binary" doc:"what the checking binary has: routes, commands, flags"`
}

// A Place is where something stands.
type Place struct {
	File   string `json:"file" doc:"path from the root"`
	Line   int    `json:"line" doc:"from 1"`
	Column int    `json:"column" doc:"from 1, in bytes"`
}

// A Repository is the tree as a whole.
type Repository struct {
	Files    int      `json:"files" doc:"how many files there are"`
	Read     int      `json:"read" doc:"how many of them were parsed"`
	Bytes    int      `json:"bytes" doc:"the size of what was parsed"`
	Excluded []string `json:"excluded" doc:"folders that were left out, by default or because the settings say so"`
}

// A File is one file or folder.
type File struct {
	Size   int    `json:"size" doc:"in bytes; 0 for a folder"`
	Folder bool   `json:"folder" doc:"it is a folder"`
	Link   string `json:"link,omitempty" doc:"where the symbolic link points, if it is one"`
	Exec   bool   `json:"exec" doc:"its owner may execute it"`
}

// A Problem is something that could not be read.
type Problem struct {
	Place
	Code    string `json:"code" doc:"a stable word: too_large, too_many, not_utf8, binary, link_loop, link_outside, link_broken, unreadable, yaml_syntax, yaml_aliases, yaml_depth, yaml_duplicate_key, module_syntax, go_syntax, dockerfile_syntax, kustomize_outside, kustomize_remote, kustomize_failed, manifest_wrong_type (of a value of a manifest; it is left out of the facts)"`
	Message string `json:"message" doc:"what happened"`
}

// A Document is one YAML document.
type Document struct {
	ID         string            `json:"id" doc:"its key in documents"`
	File       string            `json:"file" doc:"the file that it stands in; for one inside a ConfigMap, the ConfigMap's"`
	Line       int               `json:"line" doc:"of its first node"`
	Column     int               `json:"column" doc:"of its first node"`
	Kind       string            `json:"kind" doc:"empty if it is no Kubernetes resource"`
	APIVersion string            `json:"api_version" doc:"apiVersion, or empty"`
	Name       string            `json:"name" doc:"metadata.name, or empty"`
	Namespace  string            `json:"namespace" doc:"metadata.namespace, or empty if the document gives none"`
	Value      any               `json:"value" doc:"the document as JSON, aliases and merge keys resolved; scalars have the types of YAML 1.2, so on and yes are strings"`
	At         map[string][2]int `json:"at" doc:"line and column of every node by its JSON pointer: of a mapping's member the place of its key, of a list's item its own"`
	Within     *Within           `json:"within" doc:"what it is a value of, null for a document of a file"`
}

// Within says which value of another document a document was written in.
type Within struct {
	Document string `json:"document" doc:"id of the outer document"`
	Pointer  string `json:"pointer" doc:"JSON pointer of the value"`
	Key      string `json:"key" doc:"the last part of the pointer, not escaped"`
}

// An Overlay is a rendered kustomization.
type Overlay struct {
	File      string            `json:"file" doc:"the kustomization file"`
	Kind      string            `json:"kind" doc:"Kustomization or Component"`
	Names     map[string]string `json:"names" doc:"every file and folder of the tree that it names, and the field that does, such as resources or patches"`
	OK        bool              `json:"ok" doc:"it was rendered by itself; if not, it is a base, a component, or problems says why"`
	Base      bool              `json:"base" doc:"another kustomization of the tree includes it, and only that is rendered"`
	Reads     []string          `json:"reads" doc:"every file that rendering read"`
	Documents []Resource        `json:"documents" doc:"the resources that come out, in kustomize's order"`
}

// A Resource is a rendered document.
type Resource struct {
	Document   string `json:"document" doc:"id of the document that it was made of; empty for one that a generator made"`
	Kind       string `json:"kind" doc:"its kind"`
	APIVersion string `json:"api_version" doc:"its apiVersion"`
	Name       string `json:"name" doc:"its name, after prefixes and hashes"`
	Namespace  string `json:"namespace" doc:"its namespace, after kustomize"`
	Value      any    `json:"value" doc:"as JSON"`
}

// A Workload is one pod template, whatever holds it.
type Workload struct {
	Scope          string            `json:"scope" doc:"source, or the folder of a kustomization"`
	Document       string            `json:"document" doc:"id of the document; empty for one that a generator made"`
	Place          Place             `json:"place" doc:"of the document, or of the kustomization for a generated one"`
	Kind           string            `json:"kind" doc:"Deployment, StatefulSet, DaemonSet, ReplicaSet, ReplicationController, Job, CronJob or Pod"`
	Name           string            `json:"name" doc:"metadata.name"`
	Namespace      string            `json:"namespace" doc:"metadata.namespace"`
	Pointer        string            `json:"pointer" doc:"JSON pointer of the pod spec in the document"`
	Labels         map[string]string `json:"labels" doc:"of the pod"`
	ServiceAccount string            `json:"service_account" doc:"serviceAccountName, default when not given"`
	Spec           any               `json:"spec" doc:"the pod spec"`
	Containers     []Container       `json:"containers" doc:"containers, init containers and ephemeral containers"`
}

// A Container is one container of a workload.
type Container struct {
	Name    string `json:"name" doc:"its name"`
	Type    string `json:"type" doc:"container, init or ephemeral"`
	Pointer string `json:"pointer" doc:"JSON pointer in the document"`
	Image   Image  `json:"image" doc:"what it runs"`
	Value   any    `json:"value" doc:"the container as it is written"`
}

// An Image is a container image's reference, taken apart.
type Image struct {
	Reference string `json:"reference" doc:"as it is written"`
	Name      string `json:"name" doc:"registry and repository"`
	Tag       string `json:"tag" doc:"empty when there is none"`
	Digest    string `json:"digest" doc:"algorithm:hex; empty when it is not pinned"`
}

// A Grant is one rule of a role, as a binding gives it to a subject.
type Grant struct {
	Role          string   `json:"role" doc:"id of the Role or ClusterRole, empty when it is not in the scope"`
	RoleName      string   `json:"role_name" doc:"Kind/name"`
	Binding       string   `json:"binding" doc:"id of the binding"`
	Place         Place    `json:"place" doc:"of the role's rule, or of the binding when the role is not in the scope"`
	Namespace     string   `json:"namespace" doc:"where it holds; empty for the whole cluster"`
	APIGroups     []string `json:"api_groups" doc:"of the rule"`
	Resources     []string `json:"resources" doc:"of the rule"`
	ResourceNames []string `json:"resource_names" doc:"of the rule; empty means all"`
	URLs          []string `json:"urls" doc:"nonResourceURLs of the rule"`
	Verbs         []string `json:"verbs" doc:"of the rule"`
	Known         bool     `json:"known" doc:"the role was found; if not, what it grants is unknown"`
}

// A Topology is the file that says which components there are.
type Topology struct {
	Document string `json:"document" doc:"id of its document"`
	Value    any    `json:"value" doc:"as JSON"`
}

// An AutonomyConfig is one copy of an autonomy config.
type AutonomyConfig struct {
	Place
	Source   string    `json:"source" doc:"file, configmap or markdown"`
	Document string    `json:"document" doc:"id of its document; empty in Markdown"`
	Valid    bool      `json:"valid" doc:"the gateway's loader accepts it"`
	Digest   string    `json:"digest" doc:"of its values with defaults filled in: equal for equal configs"`
	Values   any       `json:"values" doc:"with defaults filled in; null when not valid"`
	Messages []Problem `json:"messages" doc:"what the loader said, errors (code error) and warnings (code warning)"`
}

// A Tool is the version of a tool that a file gives.
type Tool struct {
	Place
	Name    string `json:"name" doc:"such as go, golang or node"`
	Version string `json:"version" doc:"as it is written"`
}

// A Binary is what the program that checks can do. Its routes and commands
// matter to the repository that it is built from.
type Binary struct {
	Version  string             `json:"version" doc:"the release"`
	Routes   []Route            `json:"routes" doc:"the gateway's route table"`
	Commands map[string]Command `json:"commands" doc:"by full name, such as leviathan gateway"`
}

// A Route is a row of the gateway's route table.
type Route struct {
	Method  string `json:"method" doc:"in capitals"`
	Path    string `json:"path" doc:"with {names}"`
	Action  string `json:"action" doc:"what the policy is asked; empty for an open route, any where the question names it"`
	Summary string `json:"summary" doc:"what it does"`
}

// A Command is a subcommand of the binary.
type Command struct {
	Flags map[string]string `json:"flags" doc:"type of each flag by its name, those that it inherits too"`
	Runs  bool              `json:"runs" doc:"it does something itself and is no mere family of subcommands"`
}
