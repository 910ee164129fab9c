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
