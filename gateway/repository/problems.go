package repository

import (
	"strings"

	"leviathan/gateway"
)

// The codes of Problems; the package documentation says what each means.
const (
	codeMultipleRefs    = "delivery.multiple_refs"
	codeDeletion        = "delivery.deletion"
	codeBadRef          = "delivery.bad_ref"
	codeNotCommit       = "delivery.not_a_commit"
	codeMultipleCommits = "delivery.multiple_commits"
	codeCertificate     = "delivery.push_certificate"
	codeOptions         = "delivery.push_options"
	codeMalformedPack   = "scope.malformed_pack"
	codePackTooLarge    = "scope.pack_too_large"
	codeMalformed       = "scope.malformed_object"
	codeBadName         = "scope.bad_name"
	codeCollision       = "scope.name_collision"
	codeBadMode         = "scope.bad_mode"
	codeGitlink         = "scope.gitlink"
	codeSymlinkEscape   = "scope.symlink_escape"
	codeGitmodules      = "scope.gitmodules"
	codeMissing         = "scope.missing_objects"
	codeUnreachable     = "scope.unreachable_objects"
	codeTooManyChanges  = "scope.too_many_changes"
)

// ProblemCodes lists every code that Push.Problems may hold, in the order of
// the package documentation.
func ProblemCodes() []string {
	return []string{
		codeMultipleRefs, codeDeletion, codeBadRef, codeNotCommit, codeMultipleCommits, codeCertificate, codeOptions,
		codeMalformedPack, codePackTooLarge, codeMalformed, codeBadName, codeCollision, codeBadMode, codeGitlink,
		codeSymlinkEscape, codeGitmodules, codeMissing, codeUnreachable, codeTooManyChanges,
	}
}

// maxProblems bounds the list; a push with more is no better understood.
const maxProblems = 50

// problems collects reasons. Text that comes from the push is made harmless;
// Path stays exact as far as it is UTF-8.
type problems []gateway.Reason

func (p *problems) add(code, path, message string) {
	if len(*p) >= maxProblems {
		return
	}
	if path != "" {
		message = sanitize(path) + " " + message
	}
	*p = append(*p, gateway.Reason{Code: code, Message: message, Path: strings.ToValidUTF8(path, "\ufffd")})
}
