package server_test

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"io"
	"maps"
	"net/http"
	"net/url"
	"os"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"

	validator "github.com/pb33f/libopenapi-validator"

	"leviathan/gateway"
	"leviathan/gateway/forge"
	"leviathan/gateway/openapi"
	"leviathan/gateway/server"
)

// A play asks the examples of a real gateway.
type play struct {
	*world
	ops      map[string]openapi.Operation
	valid    validator.Validator
	tokens   map[gateway.Role]string
	attempts map[string]gateway.Reservation // by the sample id
	live     map[string]string              // what stands for a sample, by the sample
	recorded map[string]openapi.Example
}

func newPlay(t *testing.T, doc openapi.Document, valid validator.Validator) *play {
	t.Helper()
	backlog := baseBacklog + "  - {id: index, title: Mend the index, scope: docs, ready: true, allowed_paths: [docs/index.md], acceptance_criteria: [it helps]}\n"
	w := newUpstream(t, backlog, strings.Replace(baseConfig, "max_running_attempts: 2", "max_running_attempts: 3", 1))
	w.tune = func(c *server.Config) {
		var err error
		if c.GitHubWebhook, err = forge.NewGitHubWebhook(forge.NewSecret(webhookSecret)); err != nil {
			t.Fatal(err)
		}
	}
	// Its coverage is that of the tests it brings: those of all take a minute.
	var err error
	w.policy, err = bundleOf(func(path string) bool {
		return !strings.HasSuffix(path, "_test.rego") || strings.HasPrefix(path, "access/") || strings.HasPrefix(path, "fixture/")
	}, "main/main.rego", `default: \d+\n`, "default: 10000\n")
	if err != nil {
		t.Fatal(err)
	}
	w.start()
	if err := w.server.BeginPolicy(context.Background(), "built in"); err != nil {
		t.Fatal(err)
	}
	w.server.Observe(context.Background(), "demo") // who may not plan hears that, and of no fact that lacks
	p := &play{world: w, ops: map[string]openapi.Operation{}, valid: valid, live: map[string]string{}, recorded: map[string]openapi.Example{}}
	for _, op := range doc.Operations {
		p.ops[op.ID] = op
	}
	p.tokens = map[gateway.Role]string{gateway.RoleOperator: operator, gateway.RoleReader: w.token("reader", ""),
		gateway.RoleScheduler: w.token("scheduler", ""), gateway.RoleIngest: w.token("ingest", "")}
	return p
}

// token is that of a role; of an attempt, that of the one that the example is
// about.
func (p *play) tokenOf(role gateway.Role, e openapi.Example) string {
	if role != gateway.RoleAttempt {
		return p.tokens[role]
	}
	if r, ok := p.attempts[e.Path["attempt"]]; ok {
		return r.Token
	}
	return p.attempts[server.SampleAttempt].Token
}

// who asks an example: the role that the route is for.
func who(op openapi.Operation) gateway.Role {
	for _, role := range []gateway.Role{gateway.RoleAttempt, gateway.RoleScheduler} {
		if (op.Tag == "attempts" || op.ID == "gitReceivePack") && op.Method != "GET" && slices.Contains(op.Roles, role) {
			return role
		}
	}
	return gateway.RoleOperator
}

func (p *play) step(name string) {
	p.t.Helper()
	id, example, _ := strings.Cut(name, "/")
	op, ok := p.ops[id]
	i := slices.IndexFunc(op.Examples, func(e openapi.Example) bool { return e.Name == example })
	if !ok || i < 0 {
		p.t.Fatalf("there is no example %s", name)
	}
	e := op.Examples[i]
	if op.Action != openapi.Open && op.Tag != "git" {
		p.strangers(name, op, e)
	}
	req, a := p.send(op, e, p.tokenOf(who(op), e))
	if a.status >= 300 {
		p.t.Errorf("%s is answered %d %s", name, a.status, a.body)
		return
	}
	p.hold(name, req, a)
	p.nothingMore(name, op, a)
	p.learn(id, a)
	e.Status, e.Type, e.Answer = a.status, a.header.Get("Content-Type"), p.sample(a)
	p.recorded[name] = openapi.Example{Name: example, Status: e.Status, Type: e.Type, Answer: e.Answer}
}

// strangers asks as everybody who may not, and reads as everybody who may.
func (p *play) strangers(name string, op openapi.Operation, e openapi.Example) {
	p.t.Helper()
	for _, role := range []gateway.Role{gateway.RoleOperator, gateway.RoleReader, gateway.RoleScheduler, gateway.RoleIngest, gateway.RoleAttempt} {
		token := p.tokenOf(role, e)
		if token == "" {
			continue // no attempt yet
		}
		may := slices.Contains(op.Roles, role)
		if _, own := p.attempts[e.Path["attempt"]]; role == gateway.RoleAttempt && may && !own {
			continue // it may, about itself
		}
		if may && (op.Method != "GET" || role == who(op)) {
			continue
		}
		_, a := p.send(op, e, token)
		if may && a.status >= 300 {
			p.t.Errorf("%s by %s: %d %s", name, role, a.status, a.body)
		}
		if !may {
			for _, r := range p.refused(a, 403, "").Reasons {
				if !strings.HasPrefix(r.Code, "access.") {
					p.t.Errorf("%s by %s is refused for %s", name, role, r.Code)
				}
			}
		}
	}
}

// now puts what is there in the place of samples.
func (p *play) now(text string) string {
	for sample, live := range p.live {
		text = strings.ReplaceAll(text, sample, live)
	}
	return text
}

func (p *play) send(op openapi.Operation, e openapi.Example, token string) (*http.Request, answer) {
	p.t.Helper()
	path := op.Path
	for name, value := range e.Path {
		path = strings.ReplaceAll(path, "{"+name+"}", url.PathEscape(p.now(value)))
	}
	query := url.Values{}
	for name, value := range e.Query {
		query.Set(name, p.now(value))
	}
	body := p.now(string(e.Body))
	if e.Media != "" && e.Media != "application/json" {
		var text string
		if err := json.Unmarshal(e.Body, &text); err != nil {
			p.t.Fatal(err)
		}
		body = p.now(text)
	}
	req, err := http.NewRequest(op.Method, p.http.URL+path, strings.NewReader(body))
	if err != nil {
		p.t.Fatal(err)
	}
	req.URL.RawQuery = query.Encode()
	header := []string{}
	for name, value := range map[string]string{"Accept": e.Accept, "Content-Type": e.Media} {
		if value != "" {
			header = append(header, name, value)
		}
	}
	if op.ID == "githubWebhook" {
		mac := hmac.New(sha256.New, []byte(webhookSecret))
		mac.Write([]byte(body))
		header = append(header, "X-GitHub-Delivery", "d1", "X-GitHub-Event", "pull_request", "X-Hub-Signature-256", "sha256="+hex.EncodeToString(mac.Sum(nil)))
	}
	if op.Action == openapi.Open {
		token = ""
	}
	a := p.ask(op.Method, strings.TrimPrefix(req.URL.String(), p.http.URL), token, body, header...)
	for i := 0; i < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
	}
	if token != "" {
		req.Header.Set("Authorization", "Bearer "+token)
	}
	return req, a
}

// hold holds a request and its answer to the document.
func (p *play) hold(name string, req *http.Request, a answer) {
	p.t.Helper()
	body := a.body
	if strings.HasPrefix(a.header.Get("Content-Type"), "application/x-ndjson") {
		body, _, _ = strings.Cut(body, "\n") // nothingMore sees the other lines
	}
	res := &http.Response{StatusCode: a.status, Header: a.header, Body: io.NopCloser(strings.NewReader(body)), Request: req}
	if valid, problems := p.valid.ValidateHttpRequestResponse(req, res); !valid {
		for _, problem := range problems {
			p.t.Errorf("%s: %s: %s %v\n%.300s", name, problem.Message, problem.Reason, problem.SchemaValidationErrors, a.body)
		}
	}
}

// nothingMore sees that an answer has no member but those that are described:
// its schema is that of a type, which takes the answer whole.
func (p *play) nothingMore(name string, op openapi.Operation, a answer) {
	p.t.Helper()
	kind, _, _ := strings.Cut(a.header.Get("Content-Type"), ";")
	for _, described := range op.Answers {
		for _, c := range described.Contents {
			if c.Of == nil || described.Status != a.status || c.Media != kind {
				continue
			}
			dec := json.NewDecoder(strings.NewReader(a.body))
			dec.DisallowUnknownFields()
			for dec.More() {
				if err := dec.Decode(reflect.New(reflect.TypeOf(c.Of)).Interface()); err != nil {
					p.t.Errorf("%s: the answer is not a %T: %v", name, c.Of, err)
					return
				}
			}
		}
	}
}

// learn takes from an answer what later examples name.
func (p *play) learn(id string, a answer) {
	p.t.Helper()
	switch id {
	case "cycle":
		var result gateway.CycleResult
		if err := json.Unmarshal([]byte(a.body), &result); err != nil {
			p.t.Fatal(err)
		}
		p.attempts = map[string]gateway.Reservation{}
		for sample, task := range map[string]gateway.TaskID{server.SampleAttempt: "guide", server.SampleAttempt2: "notes", server.SampleAttempt3: "index"} {
			p.attempts[sample] = reservation(p.t, result, task)
			p.live[sample] = string(p.attempts[sample].AttemptID)
		}
	case "createToken":
		var made gateway.TokenResult
		if err := json.Unmarshal([]byte(a.body), &made); err != nil {
			p.t.Fatal(err)
		}
		p.live[server.SampleToken] = made.ID
	}
}

// refusedPush pushes what is out of scope, and then what is not.
func (p *play) refusedPush() {
	p.t.Helper()
	r := p.attempts[server.SampleAttempt]
	started, err := p.client(r.Token).Start(context.Background(), r.AttemptID, gateway.StartRequest{Instance: "worker-5f2c9e"})
	if err != nil {
		p.t.Fatal(err)
	}
	out, err := p.push(r, started, map[string]string{"src/core.txt": "changed\n"})
	found := regexp.MustCompile(`decision ([0-9A-HJKMNP-TV-Z]{26})`).FindStringSubmatch(out)
	if err == nil || found == nil {
		p.t.Fatalf("a push out of scope: %v %s", err, out)
	}
	p.live[server.SampleDecision] = found[1]
	if out, err := p.push(r, started, map[string]string{"docs/guide.md": "# Guide\n"}); err != nil {
		p.t.Fatalf("push: %v\n%s", err, out)
	}
	p.startAttempt(p.attempts[server.SampleAttempt2])
}

// compare holds what is recorded to what was answered: the same members, of
// the same types. With -update it records anew.
func (p *play) compare() {
	p.t.Helper()
	if *update {
		names := slices.Sorted(maps.Keys(p.recorded))
		var b strings.Builder
		b.WriteString("{")
		for i, name := range names {
			line, err := json.Marshal(p.recorded[name])
			if err != nil {
				p.t.Fatal(err)
			}
			if i > 0 {
				b.WriteString(",")
			}
			b.WriteString("\n" + `"` + name + `": ` + string(line))
		}
		b.WriteString("\n}\n")
		if err := os.WriteFile("examples.json", []byte(b.String()), 0o644); err != nil {
			p.t.Fatal(err)
		}
		return
	}
	for name, got := range p.recorded {
		id, example, _ := strings.Cut(name, "/")
		for _, want := range p.ops[id].Examples {
			if want.Name != example {
				continue
			}
			if want.Status != got.Status || want.Type != got.Type {
				p.t.Errorf("%s is recorded as %d %s, and answered %d %s; run the test with -update, and make docs", name, want.Status, want.Type, got.Status, got.Type)
			}
			was, is := shape(p.t, want.Answer), shape(p.t, got.Answer)
			for place := range was {
				if !is[place] {
					p.t.Errorf("%s is recorded with %s, and answered without; run the test with -update, and make docs", name, place)
				}
			}
			for place := range is {
				if !was[place] {
					p.t.Errorf("%s is answered with %s, and recorded without; run the test with -update, and make docs", name, place)
				}
			}
		}
	}
}
