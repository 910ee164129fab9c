package cluster_test

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	authentication "k8s.io/api/authentication/v1"

	"leviathan/gateway"
	"leviathan/gateway/cluster"
)

const schedulerID = "system:serviceaccount:leviathan:leviathan-scheduler"

// token is one that claims what it is told to; the API alone knows better.
func token(t testing.TB, claims map[string]any) string {
	t.Helper()
	text, err := json.Marshal(claims)
	if err != nil {
		t.Fatal(err)
	}
	return "eyJhbGciOiJSUzI1NiJ9." + base64.RawURLEncoding.EncodeToString(text) + ".c2lnbmF0dXJl"
}

func schedulerToken(t testing.TB, n int) string {
	return token(t, map[string]any{"sub": schedulerID, "aud": []string{"leviathan"}, "exp": time.Now().Add(time.Hour).Unix(), "jti": fmt.Sprint(n)})
}

func says(user string, audiences ...string) func(authentication.TokenReviewSpec) authentication.TokenReviewStatus {
	return func(authentication.TokenReviewSpec) authentication.TokenReviewStatus {
		return authentication.TokenReviewStatus{Authenticated: true, User: authentication.UserInfo{Username: user}, Audiences: audiences}
	}
}

func newReviewer(t testing.TB, a *api, logs io.Writer) *cluster.Reviewer {
	t.Helper()
	var accounts []cluster.Account
	for _, text := range []string{"leviathan/leviathan-scheduler=scheduler@dev", "leviathan/leviathan-spider=reader"} {
		account, err := cluster.ParseAccount(text)
		if err != nil {
			t.Fatal(err)
		}
		accounts = append(accounts, account)
	}
	r, err := a.client(t, logs).Reviewer(cluster.ReviewerConfig{Audience: "leviathan", Accounts: accounts})
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func TestS15AServiceAccountIsWhoTheAPISaysItIs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := newAPI()
		r := newReviewer(t, a, io.Discard)
		a.review = func(spec authentication.TokenReviewSpec) authentication.TokenReviewStatus {
			if spec.Token != schedulerToken(t, 1) || len(spec.Audiences) != 1 || spec.Audiences[0] != "leviathan" {
				t.Errorf("the API was asked about %+v", spec)
			}
			return says(schedulerID, "leviathan")(spec)
		}
		good := schedulerToken(t, 1)
		id, role, target, err := r.Review(t.Context(), good)
		if err != nil || id != schedulerID || role != gateway.RoleScheduler || target != "dev" {
			t.Fatalf("%s %s %s %v", id, role, target, err)
		}
		for range 10 {
			if _, _, _, err := r.Review(t.Context(), good); err != nil {
				t.Fatal(err)
			}
		}
		if n := a.count("POST tokenreviews"); n != 1 {
			t.Errorf("asked %d times within a minute", n)
		}
		// Its account is deleted: that is known within a minute.
		a.review = func(authentication.TokenReviewSpec) authentication.TokenReviewStatus {
			return authentication.TokenReviewStatus{Error: "service account was deleted"}
		}
		time.Sleep(time.Minute)
		if _, _, _, err := r.Review(t.Context(), good); gateway.KindOf(err) != gateway.Unauthenticated {
			t.Errorf("a deleted account: %v", err)
		}
		before := a.count("POST tokenreviews")
		a.review = says(schedulerID, "leviathan")
		if _, _, _, err := r.Review(t.Context(), good); err == nil || a.count("POST tokenreviews") != before {
			t.Errorf("a refusal is not kept for a while: %v", err)
		}
		time.Sleep(10 * time.Second)
		if _, _, _, err := r.Review(t.Context(), good); err != nil {
			t.Errorf("a refusal is kept too long: %v", err)
		}
	})
}

func TestS15ATokenIsKeptNoLongerThanItIsGood(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := newAPI()
		r := newReviewer(t, a, io.Discard)
		a.review = says(schedulerID, "leviathan")
		short := token(t, map[string]any{"sub": schedulerID, "aud": []string{"leviathan"}, "exp": time.Now().Add(20 * time.Second).Unix()})
		if _, _, _, err := r.Review(t.Context(), short); err != nil {
			t.Fatal(err)
		}
		time.Sleep(20 * time.Second)
		if _, _, _, err := r.Review(t.Context(), short); gateway.KindOf(err) != gateway.Unauthenticated {
			t.Errorf("a token that is over: %v", err)
		}
	})
}

func TestS15OthersAreNotLetIn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		later := time.Now().Add(time.Hour).Unix()
		claims := func(sub string, aud any) map[string]any { return map[string]any{"sub": sub, "aud": aud, "exp": later} }
		for what, c := range map[string]struct {
			token string
			says  func(authentication.TokenReviewSpec) authentication.TokenReviewStatus
			asks  int
		}{
			"not authenticated": {schedulerToken(t, 1), func(authentication.TokenReviewSpec) authentication.TokenReviewStatus {
				return authentication.TokenReviewStatus{}
			}, 1},
			"another than it claims": {schedulerToken(t, 1), says("system:serviceaccount:leviathan:leviathan-worker", "leviathan"), 1},
			"a user":                 {schedulerToken(t, 1), says("leviathan-scheduler", "leviathan"), 1},
			"another namespace":      {schedulerToken(t, 1), says("system:serviceaccount:other:leviathan-scheduler", "leviathan"), 1},
			"no audience":            {schedulerToken(t, 1), says(schedulerID), 1},
			"another audience":       {schedulerToken(t, 1), says(schedulerID, "https://kubernetes.default.svc"), 1},
			"claims another account": {token(t, claims("system:serviceaccount:leviathan:default", []string{"leviathan"})), says(schedulerID, "leviathan"), 0},
			"claims the API":         {token(t, claims(schedulerID, []string{"https://kubernetes.default.svc"})), says(schedulerID, "leviathan"), 0},
			"an audience alone":      {token(t, claims(schedulerID, "leviathan")), says(schedulerID, "leviathan"), 0},
			"over":                   {token(t, map[string]any{"sub": schedulerID, "aud": []string{"leviathan"}, "exp": time.Now().Add(-time.Second).Unix()}), says(schedulerID, "leviathan"), 0},
			"no JWT":                 {"hunter2", says(schedulerID, "leviathan"), 0},
			"two parts":              {"a.b", says(schedulerID, "leviathan"), 0},
			"huge":                   {schedulerToken(t, 1) + strings.Repeat("A", 20<<10), says(schedulerID, "leviathan"), 0},
		} {
			a := newAPI()
			a.review = c.says
			r := newReviewer(t, a, io.Discard)
			id, role, _, err := r.Review(t.Context(), c.token)
			if gateway.KindOf(err) != gateway.Unauthenticated || id != "" || role != "" {
				t.Errorf("%s: %q as %q, %v", what, id, role, err)
			}
			if n := a.count("POST tokenreviews"); n != c.asks {
				t.Errorf("%s: the API was asked %d times, want %d", what, n, c.asks)
			}
		}
	})
}

func TestS15AnAPIThatDoesNotSayLetsNobodyIn(t *testing.T) {
	for _, kind := range []fault{down, silent, refused, lost} {
		synctest.Test(t, func(t *testing.T) {
			a := newAPI()
			var logs bytes.Buffer
			a.review = says(schedulerID, "leviathan")
			r := newReviewer(t, a, &logs)
			a.setFault(func(*http.Request) fault { return kind })
			secret := schedulerToken(t, 1)
			id, role, _, err := r.Review(t.Context(), secret)
			if gateway.KindOf(err) != gateway.Unknown || id != "" || role != "" {
				t.Errorf("fault %d: %q as %q, %v", kind, id, role, err)
			}
			if strings.Contains(err.Error(), secret) || strings.Contains(logs.String(), secret) {
				t.Errorf("fault %d: the token is in an error or in the log", kind)
			}
			a.setFault(nil)
			if _, _, _, err := r.Review(t.Context(), secret); err != nil {
				t.Errorf("fault %d: what was not known is kept: %v", kind, err)
			}
		})
	}
}

func TestStrangersCannotKeepTheAPIBusyOrFillTheMemory(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := newAPI()
		a.review = func(authentication.TokenReviewSpec) authentication.TokenReviewStatus {
			return authentication.TokenReviewStatus{}
		}
		r := newReviewer(t, a, io.Discard)
		limited := 0
		for i := range 500 {
			_, _, _, err := r.Review(t.Context(), schedulerToken(t, i))
			if gateway.KindOf(err) == gateway.Unknown {
				limited++
			} else if gateway.KindOf(err) != gateway.Unauthenticated {
				t.Fatal(err)
			}
		}
		if n := a.count("POST tokenreviews"); n != 40 || limited != 460 {
			t.Errorf("the API was asked %d times at once, %d were limited", n, limited)
		}
		for i := range 2000 {
			time.Sleep(time.Millisecond * 50)
			_, _, _, _ = r.Review(t.Context(), schedulerToken(t, 1000+i))
			if r.Kept() > 1024 {
				t.Fatalf("%d answers are kept", r.Kept())
			}
		}
		if n := a.count("POST tokenreviews"); n < 2000 {
			t.Errorf("asked %d times: the test proves nothing", n)
		}
	})
}

func TestAccountsAreReadStrictly(t *testing.T) {
	for text, want := range map[string]cluster.Account{
		"leviathan/leviathan-scheduler=scheduler": {Namespace: "leviathan", Name: "leviathan-scheduler", Role: gateway.RoleScheduler},
		"a/b=operator@dev":                        {Namespace: "a", Name: "b", Role: gateway.RoleOperator, Target: "dev"},
		"a/b=ingest":                              {Namespace: "a", Name: "b", Role: gateway.RoleIngest},
	} {
		if got, err := cluster.ParseAccount(text); err != nil || got != want {
			t.Errorf("%s: %+v %v", text, got, err)
		}
	}
	for _, text := range []string{"", "a/b", "a=reader", "a/b=", "a/b=attempt", "a/b=gateway", "a/b=Reader", "a/b=reader@", "a/b=reader@Not a target", "/b=reader", "a/=reader",
		"a/b/c=reader", "a:b/c=reader", "a/b=reader=x"} {
		if got, err := cluster.ParseAccount(text); err == nil {
			t.Errorf("%q is %+v", text, got)
		}
	}
	account := cluster.Account{Namespace: "a", Name: "b", Role: gateway.RoleReader}
	for _, cfg := range []cluster.ReviewerConfig{{Accounts: []cluster.Account{account}}, {Audience: "leviathan"}, {Audience: "leviathan", Accounts: []cluster.Account{account, account}}} {
		if _, err := newAPI().client(t, io.Discard).Reviewer(cfg); err == nil {
			t.Errorf("%+v makes a reviewer", cfg)
		}
	}
}
