package facts

// A Workflow is a GitHub workflow.
type Workflow struct {
	Document    string             `json:"document" doc:"id of its document"`
	Name        string             `json:"name" doc:"its name, or empty"`
	Triggers    map[string]Trigger `json:"triggers" doc:"by event, such as pull_request; on is read as the string that it is"`
	Permissions Permissions        `json:"permissions" doc:"of the whole workflow"`
	Jobs        []Job              `json:"jobs" doc:"in the order of the file"`
	Commented   []Comment          `json:"commented" doc:"comment lines that would be a job, a step or a key of one if they were not commented out"`
}

// A Trigger is what makes a workflow run.
type Trigger struct {
	Place
	Branches       []string `json:"branches" doc:"only these; empty means all"`
	BranchesIgnore []string `json:"branches_ignore" doc:"not these"`
	Paths          []string `json:"paths" doc:"only when one of these changes; empty means always"`
	PathsIgnore    []string `json:"paths_ignore" doc:"not when only these change"`
	Types          []string `json:"types" doc:"activity types; empty means GitHub's default"`
	Filtered       bool     `json:"filtered" doc:"it has a filter by branch or path, so that it may not run"`
	Value          any      `json:"value" doc:"as it is written"`
}

// Permissions are those of the workflow's token.
type Permissions struct {
	Place
	Given  bool              `json:"given" doc:"the key is present; if not, the repository's default holds"`
	All    string            `json:"all" doc:"read-all or write-all, or empty"`
	Scopes map[string]string `json:"scopes" doc:"read, write or none by scope; empty and given means none at all"`
}

// A Job is a job of a workflow.
type Job struct {
	Place
	ID              string      `json:"id" doc:"its key"`
	Pointer         string      `json:"pointer" doc:"JSON pointer in the document"`
	Name            string      `json:"name" doc:"its name, or empty"`
	If              string      `json:"if" doc:"its condition without ${{ }}, or empty"`
	Never           bool        `json:"never" doc:"the condition is constantly false"`
	ContinueOnError bool        `json:"continue_on_error" doc:"its failure is not the workflow's; true for any expression, too"`
	Needs           []string    `json:"needs" doc:"ids of jobs"`
	RunsOn          []string    `json:"runs_on" doc:"labels of the runner"`
	Timeout         int         `json:"timeout" doc:"timeout-minutes, 0 when not given"`
	Permissions     Permissions `json:"permissions" doc:"its own"`
	Uses            *Action     `json:"uses" doc:"the reusable workflow that it calls, or null"`
	Image           string      `json:"image" doc:"of its container, or empty"`
	Steps           []Step      `json:"steps" doc:"in their order"`
}

// A Step is a step of a job.
type Step struct {
	Place
	Index           int            `json:"index" doc:"from 0"`
	Pointer         string         `json:"pointer" doc:"JSON pointer in the document"`
	Name            string         `json:"name" doc:"its name, or empty"`
	ID              string         `json:"id" doc:"its id, or empty"`
	If              string         `json:"if" doc:"its condition without ${{ }}, or empty"`
	Never           bool           `json:"never" doc:"the condition is constantly false"`
	ContinueOnError bool           `json:"continue_on_error" doc:"its failure is not the job's; true for any expression, too"`
	Uses            *Action        `json:"uses" doc:"the action that it runs, or null"`
	With            any            `json:"with" doc:"the action's inputs, or null"`
	Env             any            `json:"env" doc:"its environment, or null"`
	Run             string         `json:"run" doc:"its script, or empty"`
	Shell           string         `json:"shell" doc:"given by the step, the job's or the workflow's defaults; or empty"`
	Commands        []ShellCommand `json:"commands" doc:"the script's commands"`
	Swallowed       []Swallowed    `json:"swallowed" doc:"commands whose failure the script hides"`
}

// An Action is a reference to an action or a reusable workflow.
type Action struct {
	Place
	Reference string `json:"reference" doc:"as it is written"`
	Name      string `json:"name" doc:"owner/repository/path, or a path of this repository"`
	Ref       string `json:"ref" doc:"behind the @, or empty"`
	Pinned    bool   `json:"pinned" doc:"the ref is a full commit hash, or the image has a digest"`
	Local     bool   `json:"local" doc:"it is of this repository"`
	Comment   string `json:"comment" doc:"the comment on its line, which usually has the version"`
}

// A Comment is a comment line that looks like a part of the file.
type Comment struct {
	Place
	Text string `json:"text" doc:"without the #"`
}

// A Script is a shell script.
type Script struct {
	Commands  []ShellCommand `json:"commands" doc:"in their order"`
	Swallowed []Swallowed    `json:"swallowed" doc:"commands whose failure the script hides"`
}

// A ShellCommand is one simple command of a shell script.
type ShellCommand struct {
	Place
	Words []string `json:"words" doc:"without quotes; variables are not expanded"`
	After string   `json:"after" doc:"the operator before it: empty, &&, ||, |, ; or &"`
}

// A Swallowed command is one whose failure a script hides.
type Swallowed struct {
	Place
	Command string `json:"command" doc:"its words, joined by spaces"`
	How     string `json:"how" doc:"or_true, set_plus_e, pipe (without pipefail), background or semicolon"`
}

// A Module is a go.mod file.
type Module struct {
	Path      string            `json:"path" doc:"module path"`
	Go        Versioned         `json:"go" doc:"the go line"`
	Toolchain Versioned         `json:"toolchain" doc:"the toolchain line; its version is empty when there is none"`
	Requires  []Require         `json:"requires" doc:"every requirement"`
	Replaces  []Replace         `json:"replaces" doc:"every replacement"`
	Tools     []string          `json:"tools" doc:"packages of tool lines"`
	Imports   map[string]Import `json:"imports" doc:"every package outside the standard library that its Go files import; those of modules below it are not its own"`
}

// A Versioned line gives a version.
type Versioned struct {
	Place
	Version string `json:"version" doc:"as it is written"`
}

// A Require is a requirement of a module.
type Require struct {
	Place
	Path     string `json:"path" doc:"module path"`
	Version  string `json:"version" doc:"as it is written"`
	Indirect bool   `json:"indirect" doc:"it is marked // indirect"`
}

// A Replace is a replacement of a module.
type Replace struct {
	Place
	Old string `json:"old" doc:"module path"`
	New string `json:"new" doc:"module path or folder"`
}

// An Import is a package that Go files import.
type Import struct {
	Place
	Test bool `json:"test" doc:"only tests import it"`
}

// A Dockerfile is taken apart into instructions.
type Dockerfile struct {
	Stages       []Stage       `json:"stages" doc:"every FROM"`
	Instructions []Instruction `json:"instructions" doc:"in their order"`
}

// A Stage is a FROM of a Dockerfile.
type Stage struct {
	Place
	Name     string `json:"name" doc:"behind AS, or empty"`
	Image    Image  `json:"image" doc:"what it is built from, with ARG defaults filled in"`
	Internal bool   `json:"internal" doc:"the image is an earlier stage, or scratch"`
}

// An Instruction is one instruction of a Dockerfile.
type Instruction struct {
	Place
	Keyword string `json:"keyword" doc:"in capitals"`
	Args    string `json:"args" doc:"continued lines joined by a space"`
	Stage   int    `json:"stage" doc:"index of its stage, -1 before the first"`
}

// A Markdown file is taken apart into what refers and what is referred to.
type Markdown struct {
	Title    string      `json:"title" doc:"the first heading's text, or empty"`
	Headings []Heading   `json:"headings" doc:"in their order"`
	Anchors  []string    `json:"anchors" doc:"everything that #… may name, sorted"`
	Links    []Link      `json:"links" doc:"links and images, reference links resolved"`
	Code     []CodeBlock `json:"code" doc:"fenced code blocks"`
	Tables   []Table     `json:"tables" doc:"tables, in their order"`
}

// A Heading is a heading of a Markdown file.
type Heading struct {
	Place
	Level  int    `json:"level" doc:"1 to 6"`
	Text   string `json:"text" doc:"without markup"`
	Anchor string `json:"anchor" doc:"as GitHub makes it"`
}

// A Link is a link of a Markdown file.
type Link struct {
	Place
	Target   string `json:"target" doc:"as it is written"`
	Text     string `json:"text" doc:"what is shown"`
	External bool   `json:"external" doc:"it has a scheme or begins with //"`
	Path     string `json:"path" doc:"from the root; the file itself for a mere #anchor; empty when external, outside or undefined"`
	Anchor   string `json:"anchor" doc:"behind the #, or empty"`
	Outside  bool   `json:"outside" doc:"the path leads out of the tree"`
	Defined  bool   `json:"defined" doc:"false for a reference link whose reference is nowhere"`
	Image    bool   `json:"image" doc:"it is an image"`
}

// A CodeBlock is a fenced block of a Markdown file.
type CodeBlock struct {
	Place
	Language string         `json:"language" doc:"first word behind the fence, in lower case"`
	Info     string         `json:"info" doc:"all that stands behind the fence"`
	Text     string         `json:"text" doc:"its lines"`
	Commands []ShellCommand `json:"commands" doc:"of a block of sh, bash or shell all of its commands, of a block of console those behind a $ prompt"`
}

// An Endpoint is one operation of an OpenAPI document.
type Endpoint struct {
	Place
	Document string `json:"document" doc:"id of the document"`
	Method   string `json:"method" doc:"in capitals"`
	Path     string `json:"path" doc:"with {names}"`
	ID       string `json:"id" doc:"operationId, or empty"`
	Action   string `json:"action" doc:"its x-leviathan-action, or empty"`
	Secured  bool   `json:"secured" doc:"it, or else the document, has a security requirement that is not empty"`
}
