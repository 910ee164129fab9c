package facts

// A GoFile is a Go file of a folder that the settings name under code.
type GoFile struct {
	Package   string       `json:"package" doc:"its name"`
	Test      bool         `json:"test" doc:"its name ends in _test.go"`
	Functions []GoFunction `json:"functions" doc:"functions and methods, in their order"`
	Strings   []GoString   `json:"strings" doc:"string literals of 1 to 200 bytes, in their order"`
	Rows      []GoRow      `json:"rows" doc:"elements of slice literals that are literals of structs themselves: tables"`
	Embeds    []GoEmbed    `json:"embeds" doc:"patterns of //go:embed"`
}

// A GoFunction is a function or method of a Go file.
type GoFunction struct {
	Place
	Name     string `json:"name" doc:"without its receiver"`
	Receiver string `json:"receiver" doc:"type of its receiver without *, or empty"`
	Skips    bool   `json:"skips" doc:"it is a test whose body begins by skipping it, or it has no body"`
}

// A GoString is a string literal of a Go file.
type GoString struct {
	Place
	Value    string `json:"value" doc:"unquoted"`
	Function string `json:"function" doc:"the function that it stands in, or empty"`
}

// A GoRow is a struct's literal in a slice's.
type GoRow struct {
	Place
	Function string    `json:"function" doc:"the function that it stands in, or empty"`
	Type     string    `json:"type" doc:"of the elements, as the source has it"`
	Fields   []GoField `json:"fields" doc:"in their order"`
}

// A GoField is a field of a GoRow.
type GoField struct {
	Name  string `json:"name" doc:"empty in a literal without names"`
	Text  string `json:"text" doc:"the expression as the source has it; of a string, without quotes"`
	Value string `json:"value" doc:"the text of a string, or of a constant that the folders of code define; empty when it is not known"`
	Known bool   `json:"known" doc:"the value is known"`
}

// A GoEmbed is a pattern of files that a Go file embeds.
type GoEmbed struct {
	Place
	Pattern string `json:"pattern" doc:"from the file's folder"`
}

// A Table is a table of a Markdown file.
type Table struct {
	Place
	Header []string   `json:"header" doc:"the cells of its first row, in lower case and without markup"`
	Rows   []TableRow `json:"rows" doc:"all others"`
}

// A TableRow is a row of a Table.
type TableRow struct {
	Place
	Cells []string `json:"cells" doc:"without markup"`
}
