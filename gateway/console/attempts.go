package console

import (
	"context"
	"encoding/json"
	"io"
	"strings"

	"leviathan/gateway"
)

const (
	// tailBytes is how much of an artifact's end a page shows.
	tailBytes = 32 << 10
	// maxPaths is how many paths of a change a page lists.
	maxPaths = 200
)

type attemptsBody struct {
	List    gateway.AttemptList
	Query   gateway.AttemptQuery
	States  []string
	Targets []gateway.TargetID
}

func (k *Console) attempts(v *visit) error {
	form := v.r.URL.Query()
	body := attemptsBody{Query: gateway.AttemptQuery{Target: gateway.TargetID(form.Get("target")), State: form.Get("state"), Limit: 50, PageToken: form.Get("page_token")},
		States: []string{"live"}}
	for _, s := range gateway.AttemptStates() {
		body.States = append(body.States, string(s))
	}
	var err error
	if body.List, err = v.client.Attempts(v.r.Context(), body.Query); err != nil {
		return err
	}
	return k.show(v, "attempts", &page{Title: "Attempts", Section: "attempts", Live: true, Body: body})
}

// attemptBody is the body of the page of one attempt.
type attemptBody struct {
	ID       gateway.AttemptID
	Detail   gateway.AttemptDetail
	Task     gateway.TaskID
	Title    string
	Target   gateway.TargetID
	State    gateway.AttemptState
	External bool
	Props    []prop
	// Lease is when the attempt ends without another heartbeat; zero if it has
	// none.
	Lease    gateway.Time
	PRURL    string
	PRNumber string
	Failure  string
	Timeline []moment
	Push     *pushView
	// PushProblem says why the push's decision is not shown.
	PushProblem string
	Evidence    *gateway.Evidence
	Output      *outputView
}

type prop struct{ Name, Value string }

// Live reports whether there is something to cancel.
func (b attemptBody) Live() bool { return b.State.Live() && !b.External }

func (k *Console) attempt(v *visit) error {
	id := gateway.AttemptID(v.r.PathValue("attempt"))
	detail, err := v.client.Attempt(v.r.Context(), id)
	if err != nil {
		return err
	}
	if detail.Node == nil {
		return gateway.Errorf(gateway.NotFound, "the journal has no attempt %q", id)
	}
	body := attemptBody{ID: id, Detail: detail}
	body.properties(detail.Node.Properties)
	body.fromEvents(detail.Events)
	if body.Push, err = pushOf(v.r.Context(), v.client, id); err != nil {
		body.PushProblem = "The decision about its push could not be read: " + err.Error()
	}
	body.Output = outputOf(v.r.Context(), v.client, &body, v.r.URL.Query().Get("artifact"))
	return k.show(v, "attempt", &page{Title: "Attempt " + short(id), Section: "attempts", Live: true, Body: body})
}

// properties reads the attempt's node.
func (b *attemptBody) properties(p map[string]any) {
	text := func(key string) string { return deref(p[key]) }
	b.Task, b.Target, b.State = gateway.TaskID(text("task_id")), gateway.TargetID(text("target_id")), gateway.AttemptState(text("state"))
	b.External = p["external"] == true
	b.PRURL, b.PRNumber = text("pr_url"), text("pr_number")
	if b.Failure = text("failure_type"); text("error_summary") != "" {
		b.Failure = strings.TrimPrefix(b.Failure+": "+text("error_summary"), ": ")
	}
	for _, row := range []prop{{"attempt number", text("attempt_number")}, {"agent", text("agent")}, {"branch", text("branch_name")},
		{"base commit", text("base_commit")}, {"task digest", text("digest")},
		{"review", text("pr_review")}, {"conflicts", text("pr_conflicts")}, {"edited by a human", text("pr_edited")}} {
		if row.Value != "" {
			b.Props = append(b.Props, row)
		}
	}
}

// outputView is the end of an artifact.
type outputView struct {
	Name    string
	Size    int64
	Hidden  int64 // bytes before what is shown
	Text    string
	Problem string
}

// outputOf reads the end of the artifact asked for, or else of the agent's
// output, or else of the first there is.
func outputOf(ctx context.Context, client *gateway.Client, b *attemptBody, asked string) *outputView {
	name := ""
	for _, a := range b.Detail.Artifacts {
		switch {
		case a.Name == asked:
			name, asked = a.Name, a.Name
		case asked == "" && (name == "" || a.Name == "agent.log"):
			name = a.Name
		}
	}
	if name == "" {
		return nil
	}
	out := &outputView{Name: name}
	body, err := client.GetArtifact(ctx, b.ID, name)
	if err != nil {
		out.Problem = err.Error()
		return out
	}
	defer body.Close()
	end, size, err := tail(body, tailBytes)
	if err != nil {
		out.Problem = err.Error()
		return out
	}
	out.Size, out.Hidden, out.Text = size, size-int64(len(end)), string(end)
	return out
}

// tail is the last n bytes of what r has, from the beginning of a line where
// there is one, and how much r has.
func tail(r io.Reader, n int) ([]byte, int64, error) {
	var kept []byte
	total := int64(0)
	piece := make([]byte, n)
	for {
		m, err := io.ReadFull(r, piece)
		total += int64(m)
		kept = append(kept, piece[:m]...)
		if len(kept) > n {
			kept = append([]byte{}, kept[len(kept)-n:]...)
		}
		if err == io.EOF || err == io.ErrUnexpectedEOF {
			break
		}
		if err != nil {
			return nil, 0, err
		}
	}
	if int64(len(kept)) < total {
		if _, rest, ok := strings.Cut(string(kept), "\n"); ok {
			kept = []byte(rest)
		}
	}
	return kept, total, nil
}

// pushView is what a push carried, with the verdict on each path.
type pushView struct {
	Decision gateway.DecisionItem
	Paths    []pathView
	More     int // paths that are not listed
	Bytes    int64
	// Rest are the reasons that are about no path.
	Rest []gateway.Reason
	// Others are the earlier decisions about pushes of the attempt.
	Others []gateway.DecisionItem
}

type pathView struct {
	gateway.Change
	Reasons []gateway.Reason
}

// pushOf finds the newest decision about a push of the attempt; nil if it
// never pushed.
func pushOf(ctx context.Context, client *gateway.Client, id gateway.AttemptID) (*pushView, error) {
	list, err := client.Decisions(ctx, gateway.DecisionQuery{Action: gateway.ActionChangePush, Attempt: id, Limit: 10})
	if err != nil || len(list.Items) == 0 {
		return nil, err
	}
	v := &pushView{Others: list.Items[1:]}
	if v.Decision, err = client.Decision(ctx, list.Items[0].ID); err != nil {
		return nil, err
	}
	var input struct {
		Changes []gateway.Change `json:"changes"`
	}
	if len(v.Decision.Input) > 0 {
		if err := json.Unmarshal(v.Decision.Input, &input); err != nil {
			return nil, gateway.Errorf(gateway.InternalError, "the input of decision %s is not what this release knows: %v", v.Decision.ID, err)
		}
	}
	about := map[string][]gateway.Reason{}
	for _, r := range v.Decision.Reasons {
		about[r.Path] = append(about[r.Path], r)
	}
	v.Rest = about[""]
	// The refused paths come first: they are what a reader looks for.
	for _, refused := range []bool{true, false} {
		for _, c := range input.Changes {
			if (len(about[c.Path]) > 0 && c.Path != "") != refused {
				continue
			}
			if len(v.Paths) < maxPaths {
				v.Paths = append(v.Paths, pathView{c, about[c.Path]})
			} else {
				v.More++
			}
		}
	}
	for _, c := range input.Changes {
		v.Bytes += c.Size
	}
	return v, nil
}
