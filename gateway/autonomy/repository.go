package autonomy

import (
	"net"
	"net/url"
	"path"
	"path/filepath"
	"strings"
	"unicode"

	"leviathan/gateway/strictyaml"
)

// repoURL reads target_repo_url. Messages never repeat a URL's user info.
func (l *loader) repoURL(n *strictyaml.Node) {
	s, ok := l.Text(n, "target_repo_url")
	if !ok {
		return
	}
	resolved, problem := upstreamOf(s, l.File)
	if problem != "" {
		l.Errorf(n, "target_repo_url %s", problem)
		return
	}
	if !strings.Contains(s, "://") && !filepath.IsAbs(s) {
		l.Warnf(n, "target_repo_url %s is relative to the folder of this file: it is %s", strictyaml.Show(s), strictyaml.Show(resolved))
	}
	l.cfg.TargetRepoURL = resolved
}

// upstreamOf is the upstream that s means, or what is wrong with it. A
// relative path begins at the folder of file.
func upstreamOf(s, file string) (resolved, problem string) {
	switch {
	case s == "" || strings.TrimSpace(s) != s || strings.ContainsFunc(s, hidden):
		return "", "is empty, or has spaces around it or control characters in it"
	case strings.Contains(s, "://"):
		return s, remoteURL(s)
	case scpForm(s):
		return "", "must be https, not ssh; write " + strictyaml.Show(httpsFromSCP(s))
	case strings.Contains(s, `\`):
		return "", "has a backslash; a path uses /"
	case strings.HasPrefix(s, "~"):
		return "", "begins with ~, which is not expanded; write the absolute path"
	case strings.HasPrefix(s, "-"):
		return "", "begins with -"
	}
	first, rest, deeper := strings.Cut(s, "/")
	if deeper && rest != "" && strings.Contains(strings.Trim(first, "."), ".") && !strings.HasSuffix(first, ".git") {
		return "", "has no scheme; write " + strictyaml.Show("https://"+s) + ", or " + strictyaml.Show("./"+s) + " for a folder"
	}
	absolute := s
	if !filepath.IsAbs(s) {
		var err error
		if absolute, err = filepath.Abs(filepath.Join(filepath.Dir(file), s)); err != nil {
			return "", "is relative and its folder is not known; write the absolute path"
		}
	}
	absolute = filepath.Clean(absolute)
	if absolute == "/" {
		return "", "is the root folder"
	}
	return absolute, ""
}

// remoteURL says what is wrong with a URL of an upstream.
func remoteURL(s string) string {
	u, err := url.Parse(s)
	if err != nil {
		return "is not a URL" // the parser's message would repeat it, password and all
	}
	switch strings.ToLower(u.Scheme) {
	case "https", "http":
	case "ssh", "git+ssh", "ssh+git", "git":
		return "must be https, not " + u.Scheme + "; write " + strictyaml.Show("https://"+u.Hostname()+u.Path)
	case "file":
		return "must be the path itself, not a file URL; write " + strictyaml.Show(u.Path)
	default:
		return "must be https, or the path of a bare repository, not " + strictyaml.Show(u.Scheme)
	}
	switch {
	case u.User != nil:
		return "has user info in it; remove it: the gateway's token is configured elsewhere"
	case u.RawQuery != "" || u.ForceQuery:
		return "has a query in it"
	case u.Fragment != "" || strings.Contains(s, "#"):
		return "has a fragment in it"
	case u.Hostname() == "" || u.Opaque != "":
		return "has no host"
	case strings.Trim(u.Path, "/") == "":
		return "has no path: it names no repository"
	case path.Clean(u.Path) != strings.TrimSuffix(u.Path, "/"):
		return "has empty, . or .. components in its path"
	case u.Scheme != strings.ToLower(u.Scheme) || strings.HasSuffix(u.Host, ":"):
		return "must have its scheme in lower case and no empty port"
	case u.Scheme == "http" && !loopback(u.Hostname()):
		return "must be https: plain http is only for a loopback host"
	}
	return ""
}

// serviceURL says what is wrong with the URL of a service.
func serviceURL(s string) string {
	if strings.ContainsFunc(s, hidden) {
		return "has control characters in it"
	}
	u, err := url.Parse(s)
	switch {
	case err != nil:
		return "is not a URL"
	case u.Scheme != "http" && u.Scheme != "https":
		return "must begin with http:// or https://"
	case u.Hostname() == "":
		return "has no host"
	case u.User != nil:
		return "has user info in it; remove it"
	case u.RawQuery != "" || u.ForceQuery || u.Fragment != "" || strings.Contains(s, "#"):
		return "has a query or fragment in it"
	}
	return ""
}

func loopback(host string) bool {
	if strings.EqualFold(host, "localhost") {
		return true
	}
	ip := net.ParseIP(host)
	return ip != nil && ip.IsLoopback()
}

// scpForm reports git's short form of an ssh URL: host:path.
func scpForm(s string) bool {
	before, _, ok := strings.Cut(s, ":")
	return ok && !strings.Contains(before, "/")
}

func httpsFromSCP(s string) string {
	// What stands before an @ is a user, perhaps with a password.
	host, repository, _ := strings.Cut(s[strings.LastIndex(s, "@")+1:], ":")
	return "https://" + host + "/" + strings.TrimPrefix(repository, "/")
}

// hidden reports control and formatting characters, which make text look like
// what it is not.
func hidden(r rune) bool { return unicode.IsControl(r) || unicode.Is(unicode.Cf, r) }

// absoluteDir says what is wrong with an absolute folder.
func absoluteDir(s string) string {
	switch {
	case !path.IsAbs(s):
		return "must be an absolute path"
	case s == "/":
		return "must not be the root folder"
	case path.Clean(s) != strings.TrimSuffix(s, "/"):
		return "must have no empty, . or .. components"
	case strings.ContainsFunc(s, hidden):
		return "has control characters in it"
	}
	return ""
}

// upstreamKey is equal for two configs that govern one branch of one upstream.
func (c *Config) upstreamKey() string {
	s := c.TargetRepoURL
	if u, err := url.Parse(s); err == nil && u.Host != "" {
		host, port := strings.ToLower(u.Hostname()), u.Port()
		if u.Scheme == "https" && port == "443" || u.Scheme == "http" && port == "80" {
			port = ""
		}
		repository := strings.TrimSuffix(strings.TrimSuffix(u.Path, "/"), ".git")
		if host == "github.com" || host == "www.github.com" {
			// The forge folds case; www is an alias.
			host, repository = "github.com", strings.ToLower(repository)
		}
		s = u.Scheme + "://" + net.JoinHostPort(host, port) + repository
	} else if real, err := filepath.EvalSymlinks(s); err == nil {
		s = real
	}
	return s + "\x00" + c.TargetBranch
}

// branch reads target_branch by git's rules for a branch name.
func (l *loader) branch(n *strictyaml.Node) {
	s, ok := l.Text(n, "target_branch")
	if !ok {
		return
	}
	if problem := branchProblem(s); problem != "" {
		l.Errorf(n, "target_branch %s %s", strictyaml.Show(s), problem)
		return
	}
	l.cfg.TargetBranch = s
}

func branchProblem(s string) string {
	switch {
	case s == "":
		return "is empty"
	case strings.HasPrefix(s, "refs/"):
		return "must be the name without refs/heads/"
	case strings.HasPrefix(s, "agent/"):
		return "must not begin with agent/: those are the branches of attempts"
	case s == "@" || s == "HEAD" || strings.HasPrefix(s, "-") || strings.HasSuffix(s, ".") || strings.Contains(s, "..") || strings.Contains(s, "@{"),
		strings.ContainsAny(s, " ~^:?*[\\") || strings.ContainsFunc(s, hidden) || len(s) > 200:
		return "is not a name that git allows for a branch"
	}
	for part := range strings.SplitSeq(s, "/") {
		if part == "" || strings.HasPrefix(part, ".") || strings.HasSuffix(part, ".lock") {
			return "is not a name that git allows for a branch"
		}
	}
	return ""
}
