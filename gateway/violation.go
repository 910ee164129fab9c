package gateway

// A Severity says what a violation does to the verdict.
type Severity string

// The severities. An error denies; a warning and a note are reported.
const (
	SeverityError   Severity = "error"
	SeverityWarning Severity = "warning"
	SeverityNote    Severity = "note"
)

// A Violation is one place of a repository that breaks one rule. Code, message
// and remedy come from the rule's METADATA.
type Violation struct {
	Code     string   `json:"code"`
	Severity Severity `json:"severity"`
	Message  string   `json:"message"`
	Remedy   string   `json:"remedy"`
	Rule     string   `json:"rule"` // the policy package that found it
	File     string   `json:"file"` // slash-separated, from the repository's root
	Line     int      `json:"line"` // from 1
	Column   int      `json:"column"`
	// Subject names the thing that is wrong, independently of its line: a
	// resource, a link, a key. With code and file it identifies a violation
	// across edits elsewhere in the file.
	Subject string `json:"subject"`
}
