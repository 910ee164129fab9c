package forge

import "net/url"

// Permits asks the list of github.com/acme/app.
func Permits(method, raw string) bool {
	where, err := findPlace(githubWeb, githubWeb+"/acme/app")
	if err != nil {
		return false
	}
	u, err := url.Parse(raw)
	return err == nil && where.permits(method, u)
}

// OwnersOf are the users whom a CODEOWNERS file names for a path.
func OwnersOf(file, path string) []string {
	return ownersOf(parseOwners(file), []string{path}).users
}

// ExposedBy judges a workflow file of the branch main, as "event: why".
func ExposedBy(text string) (found []string) {
	for _, e := range exposed("ci.yml", []byte(text), "main") {
		found = append(found, e.Event+": "+e.Why)
	}
	return found
}
