package server_test

import (
	"context"
	"io"
	"iter"
	"net/http"
	"net/http/httptest"
	"reflect"
	"regexp"
	"strings"
	"testing"

	"leviathan/gateway"
	"leviathan/gateway/server"
)

// Each route of the table is asked by a method of the client, which sends it
// to that very path; a route without one says why.
func TestTheClientCoversEveryRoute(t *testing.T) {
	t.Parallel()
	methods, without, err := server.ClientMethods()
	if err != nil {
		t.Fatal(err)
	}
	var asked []string
	echo := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		asked = append(asked, r.Method+" "+r.URL.EscapedPath())
		if _, err := io.WriteString(w, "{}"); err != nil {
			t.Error(err)
		}
	}))
	defer echo.Close()
	client, err := gateway.NewClient(echo.URL, "token", gateway.ClientOptions{MaxTries: 1})
	if err != nil {
		t.Fatal(err)
	}
	for _, row := range server.Table() {
		key := row.Method + " " + row.Path
		if why, ok := without[key]; ok {
			if !strings.HasPrefix(row.Path, "/git/") && !strings.Contains(row.Path, "webhook") || why == "" {
				t.Errorf("%s has no method of the client, because %q", key, why)
			}
			continue
		}
		asked = nil
		callWithSamples(t, client, methods[key])
		pattern := regexp.MustCompile(`\\\{[a-z]+\\\}`).ReplaceAllString(regexp.QuoteMeta(key), `sample[^/]*`)
		if len(asked) != 1 || !regexp.MustCompile("^"+pattern+"$").MatchString(asked[0]) {
			t.Errorf("%s: Client.%s asks %q", key, methods[key], asked)
		}
	}
}

// callWithSamples calls a method of the client with a text in the place of
// each id, and reads what it streams.
func callWithSamples(t *testing.T, client *gateway.Client, name string) {
	t.Helper()
	method := reflect.ValueOf(client).MethodByName(name)
	if !method.IsValid() {
		t.Errorf("the client has no method %s", name)
		return
	}
	args := []reflect.Value{reflect.ValueOf(context.Background())}
	for i := 1; i < method.Type().NumIn(); i++ {
		arg := reflect.New(method.Type().In(i)).Elem()
		if arg.Kind() == reflect.String {
			arg.SetString("sample/of ids")
		}
		args = append(args, arg)
	}
	for _, result := range method.Call(args) {
		switch v := result.Interface().(type) {
		case io.Closer:
			if err := v.Close(); err != nil {
				t.Errorf("%s: %v", name, err)
			}
		case iter.Seq2[gateway.Event, error]:
			for range v {
				break
			}
		}
	}
}
