// Package forge owns pull requests: it opens one for an attempt, reads it
// back, and observes what became of it. It also owns the words that a pull
// request and a commit say, made inert.
//
// It never merges, approves or closes anything, has no code that could, and
// decides nothing: the gateway asks only after a logged decision. What it
// cannot read it reports as an error, never as "none".
//
// # The local forge
//
// [Local] is the forge of an upstream that is a bare repository on disk. Its
// pull requests are refs:
//
//   - refs/heads/agent/<attempt> is the attempt's branch, pushed before;
//   - refs/pull/<n>/head is pull request n: exactly the attempt's commit;
//   - refs/leviathan/pulls/<n> is a blob with the text of pull request n, to
//     be read with "git cat-file -p refs/leviathan/pulls/<n>". It begins with
//     lines of the form "Key: value" (Pull-Request, Title, Head, Commit, Base,
//     Base-Commit), then an empty line, then the body.
//
// Both refs of a pull request are created in one transaction that expects
// neither to exist, and are never changed or deleted by this package. A number
// is never used twice as long as its text is kept.
//
// A human looks, merges and closes with plain git; [ByHand] spells the
// commands. A pull request is merged when its head is an ancestor of the target
// branch, or when a commit of the branch since the base carries the trailer
// "Leviathan-Attempt: <attempt>" or has the head's patch id ("git patch-id
// --stable", which does not see white space). It is closed when it is not
// merged and its head ref or its branch is gone, and open otherwise.
//
// The URL of a local pull request is file://<path>#refs/pull/<n>/head.
//
// Git 2.39 or later is needed. It runs without the user's and the system's
// config; the repository's own config and hooks are respected.
//
// # GitHub
//
// [GitHub] is the forge of one repository on github.com or GitHub Enterprise.
// All that it asks goes through one transport, which has a list of methods and
// paths, speaks to one host, follows no redirect, and alone has the credential:
// tokens of a GitHub App for the one repository, kept in memory and replaced
// before they end, or a personal token. Git gets the same from
// [GitHub.Credential], for the one host.
//
// Only pull requests between branches of the repository itself count, whatever
// a fork calls its branches. GitHub is asked conditionally and within a
// [GitHubBudget]. Besides opening and observing, [GitHub.Annotate] keeps one
// status comment, one check run, labels and reviewers up to date,
// [GitHub.Probe] says how safe the repository's settings are, and a
// [GitHubWebhook] reads what GitHub sends.
//
// Errors have codes (CodeCredential and so on) beside their kinds. A credential
// that GitHub refuses is gateway.Unknown, not gateway.Unauthenticated: it is the
// gateway's, and says nothing about who asked.
package forge
