package server_test

import (
	"context"
	"errors"
	"os"
	"strings"
	"testing"

	"github.com/pb33f/libopenapi"
	validator "github.com/pb33f/libopenapi-validator"
	"github.com/pb33f/libopenapi-validator/config"
	"sigs.k8s.io/yaml"

	"leviathan/gateway"
	"leviathan/gateway/server"
)

const documentFile = "../../docs/openapi.yaml"

// document is docs/openapi.yaml, as text and as what holds traffic to it.
func document(t *testing.T) ([]byte, validator.Validator) {
	t.Helper()
	text, err := os.ReadFile(documentFile)
	if err != nil {
		t.Fatal(err)
	}
	doc, err := libopenapi.NewDocument(text)
	if err != nil {
		t.Fatal(err)
	}
	v, problems := validator.NewValidator(doc, config.WithFormatAssertions())
	if len(problems) > 0 {
		t.Fatal(errors.Join(problems...))
	}
	return text, v
}

func TestTheDocumentIsOpenAPI(t *testing.T) {
	t.Parallel()
	_, v := document(t)
	if valid, problems := v.ValidateDocument(); !valid {
		for _, p := range problems {
			t.Errorf("%s: %s %v", p.Message, p.Reason, p.SchemaValidationErrors)
		}
	}
}

// script is the order in which the examples are asked: what one leaves, the
// next ones need.
const script = `
health/alive alive/alive ready/ready jwks/keys metrics/scrape status/now
cycle/plan tasks/backlog tryLimit/more attempts/live attempt/one attempt/unknown graph/newest
start/start heartbeat/beat putArtifact/log getArtifact/log evidence/tests evaluate/push evaluateBatch/all evaluateBatch/until-denied evaluateBatch/one
gitRefs/fetch gitUploadPack/flush PUSH gitReceivePack/flush
decisions/denied decisions/log decision/push whyDecision/push decisionBundle/push
openPullRequest/open finish/succeeded lost/oom failures/recent invalidate/invalidate cancel/cancel
graphSummary/now graphNodes/pulls graphNode/task graphEdges/of-attempt
ingest/one events/page events/cloudevents events/lines recentEvents/latest
checkpoint/note inclusionProof/first consistencyProof/grown journalBackup/whole journalExport/whole pruneJournal/old
createToken/reader tokens/all revokeToken/revoke
halt/all CANDIDATE halt/one policy/waiting policyHistory/latest policyCoverage/since invariantChecks/all checkInvariants/nothing replayPolicy/waiting activatePolicy/accept rollBackPolicy/previous
resume/one resume/all acceptClock/accept resetCircuit/reset retry/retry githubWebhook/merged
`

func TestEveryExampleIsAnsweredAsDescribed(t *testing.T) {
	t.Parallel()
	doc, err := server.Describe()
	if err != nil {
		t.Fatal(err)
	}
	text, valid := document(t)
	p := newPlay(t, doc, valid)
	asked := map[string]bool{}
	for _, step := range strings.Fields(script) {
		switch step {
		case "PUSH":
			p.refusedPush()
			continue
		case "CANDIDATE":
			if got := p.cycle(); got.Outcome != "denied" {
				t.Fatalf("a halted cycle is %s", got.Outcome)
			}
			if err := p.server.OfferPolicy(context.Background(), "policies", looser(t), nil); !errors.Is(err, gateway.ErrDenied) {
				t.Fatalf("a candidate that allows what was denied is answered %v", err)
			}
			continue
		}
		asked[step] = true
		p.step(step)
	}
	for _, op := range doc.Operations {
		if len(op.Examples) == 0 {
			t.Errorf("%s has no example", op.ID)
		}
		for _, e := range op.Examples {
			if !asked[op.ID+"/"+e.Name] {
				t.Errorf("the example %s/%s is asked by nobody", op.ID, e.Name)
			}
		}
	}
	for name := range examplesOf(t, text) {
		if !asked[name] {
			t.Errorf("the example %s of %s is asked by nobody; run make docs", name, documentFile)
		}
	}
	p.compare()
}

// examplesOf are the examples of the document, by operation and name.
func examplesOf(t *testing.T, text []byte) map[string]bool {
	t.Helper()
	var doc struct {
		Paths map[string]map[string]struct {
			OperationID string `json:"operationId"`
			Parameters  []struct{ Examples map[string]any }
			RequestBody struct {
				Content map[string]struct{ Examples map[string]any }
			}
			Responses map[string]struct {
				Content map[string]struct{ Examples map[string]any }
			}
		}
	}
	if err := yaml.Unmarshal(text, &doc); err != nil {
		t.Fatal(err)
	}
	names := map[string]bool{}
	for _, item := range doc.Paths {
		for _, op := range item {
			add := func(examples map[string]any) {
				for name := range examples {
					names[op.OperationID+"/"+name] = true
				}
			}
			for _, p := range op.Parameters {
				add(p.Examples)
			}
			for _, c := range op.RequestBody.Content {
				add(c.Examples)
			}
			for _, r := range op.Responses {
				for _, c := range r.Content {
					add(c.Examples)
				}
			}
		}
	}
	if len(names) < 50 {
		t.Fatalf("%s has %d examples", documentFile, len(names))
	}
	return names
}
