package report

import (
	"encoding/json"
	"io"
	"net/url"

	"leviathan/gateway"
)

// The parts of SARIF 2.1.0 that are written.
type (
	sarifLog struct {
		Schema  string     `json:"$schema"`
		Version string     `json:"version"`
		Runs    []sarifRun `json:"runs"`
	}
	sarifRun struct {
		Tool        sarifTool         `json:"tool"`
		ColumnKind  string            `json:"columnKind"`
		Bases       map[string]any    `json:"originalUriBaseIds"`
		Invocations []sarifInvocation `json:"invocations"`
		Results     []sarifResult     `json:"results"`
	}
	sarifTool struct {
		Driver sarifDriver `json:"driver"`
	}
	sarifDriver struct {
		Name    string      `json:"name"`
		Version string      `json:"version"`
		Rules   []sarifRule `json:"rules"`
	}
	sarifRule struct {
		ID      string       `json:"id"`
		Short   sarifText    `json:"shortDescription"`
		Full    sarifText    `json:"fullDescription"`
		Help    sarifText    `json:"help"`
		Default sarifDefault `json:"defaultConfiguration"`
	}
	sarifDefault struct {
		Level string `json:"level"`
	}
	sarifText struct {
		Text string `json:"text"`
	}
	sarifInvocation struct {
		Successful    bool                `json:"executionSuccessful"`
		Notifications []sarifNotification `json:"toolExecutionNotifications,omitempty"`
	}
	sarifNotification struct {
		Level   string    `json:"level"`
		Message sarifText `json:"message"`
	}
	sarifResult struct {
		RuleID       string             `json:"ruleId"`
		RuleIndex    *int               `json:"ruleIndex,omitempty"`
		Level        string             `json:"level"`
		Message      sarifText          `json:"message"`
		Locations    []sarifLocation    `json:"locations"`
		Fingerprints map[string]string  `json:"partialFingerprints"`
		Suppressions []sarifSuppression `json:"suppressions,omitempty"`
	}
	sarifLocation struct {
		Physical sarifPhysical `json:"physicalLocation"`
	}
	sarifPhysical struct {
		Artifact sarifArtifact `json:"artifactLocation"`
		Region   sarifRegion   `json:"region"`
	}
	sarifArtifact struct {
		URI  string `json:"uri"`
		Base string `json:"uriBaseId"`
	}
	sarifRegion struct {
		Line   int `json:"startLine"`
		Column int `json:"startColumn"`
	}
	sarifSuppression struct {
		Kind          string `json:"kind"`
		Status        string `json:"status"`
		Justification string `json:"justification"`
	}
)

// writeSARIF writes SARIF 2.1.0. Waived and baselined violations are results
// with a suppression.
func writeSARIF(w io.Writer, r *Report) error {
	run := sarifRun{Tool: sarifTool{sarifDriver{Name: "leviathan", Version: r.Version, Rules: []sarifRule{}}}, ColumnKind: "utf16CodeUnits",
		Bases: map[string]any{"ROOT": map[string]any{"description": sarifText{"the root of the repository"}}}, Results: []sarifResult{}}
	index := map[string]int{}
	for i, rule := range r.Rules {
		index[rule.Code] = i
		run.Tool.Driver.Rules = append(run.Tool.Driver.Rules, sarifRule{ID: rule.Code, Short: sarifText{rule.Title}, Full: sarifText{rule.Description},
			Help: sarifText{rule.Remedy}, Default: sarifDefault{string(rule.Severity)}})
	}
	invocation := sarifInvocation{Successful: r.Verdict != Unknown}
	for _, c := range r.Categories {
		if c.Verdict == Unknown {
			invocation.Notifications = append(invocation.Notifications, sarifNotification{"error", sarifText{c.Name + " could not run: " + c.Why}})
		}
	}
	run.Invocations = []sarifInvocation{invocation}
	for _, v := range r.Violations() {
		run.Results = append(run.Results, resultOf(v, index))
	}
	for _, v := range r.Waived {
		run.Results = append(run.Results, resultOf(v.Violation, index, sarifSuppression{"external", "accepted", v.Reason + " (" + v.Owner + ", until " + v.Expires + ")"}))
	}
	for _, v := range r.Baselined {
		run.Results = append(run.Results, resultOf(v, index, sarifSuppression{"external", "accepted", "in the baseline"}))
	}
	e := json.NewEncoder(w)
	e.SetIndent("", "  ")
	return e.Encode(sarifLog{Schema: "https://json.schemastore.org/sarif-2.1.0.json", Version: "2.1.0", Runs: []sarifRun{run}})
}

func resultOf(v gateway.Violation, index map[string]int, suppressions ...sarifSuppression) sarifResult {
	out := sarifResult{RuleID: v.Code, Level: string(v.Severity), Message: sarifText{v.Message + ". " + v.Remedy}, Suppressions: suppressions,
		Fingerprints: map[string]string{"leviathan/v1": Fingerprint(v)},
		Locations: []sarifLocation{{sarifPhysical{sarifArtifact{(&url.URL{Path: v.File}).EscapedPath(), "ROOT"},
			sarifRegion{max(1, v.Line), max(1, v.Column)}}}}}
	if i, ok := index[v.Code]; ok {
		out.RuleIndex = &i
	}
	return out
}
