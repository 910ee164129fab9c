package cluster_test

import (
	"context"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"leviathan/gateway/cluster"
)

// A follower remembers what was seen last.
type follower struct {
	mu   sync.Mutex
	view cluster.View
}

func (f *follower) see(v cluster.View) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.view = v
}

func (f *follower) now() cluster.View {
	synctest.Wait()
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.view
}

// following starts to follow the ConfigMap of the API.
func following(t *testing.T, a *api) (f *follower, stop func()) {
	t.Helper()
	f = &follower{}
	m := a.client(t, io.Discard).ConfigMap(mapName, nil, f.see)
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- m.Follow(ctx) }()
	return f, func() {
		cancel()
		if err := <-ended; err != nil {
			t.Errorf("Follow: %v", err)
		}
	}
}

func onOff(on string) map[string]string {
	return map[string]string{"dev.yaml": "autonomy_enabled: " + on}
}

func TestAChangeIsSeenAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := newAPI()
		a.setConfig(onOff("true"))
		f, stop := following(t, a)
		defer stop()
		if v := f.now(); !v.Known || v.Problem != "" || v.Files["dev.yaml"] != "autonomy_enabled: true" {
			t.Fatalf("at first: %+v", v)
		}
		for _, on := range []string{"false", "true", "false"} {
			time.Sleep(100 * time.Second)
			began := time.Now()
			a.setConfig(onOff(on))
			if v := f.now(); v.Files["dev.yaml"] != "autonomy_enabled: "+on || time.Since(began) > time.Second {
				t.Errorf("%s after %s: %+v", on, time.Since(began), v)
			}
		}
		a.setConfig(nil)
		if v := f.now(); !v.Known || v.Files != nil {
			t.Errorf("deleted: %+v", v)
		}
		a.setConfig(onOff("true"))
		if v := f.now(); v.Files["dev.yaml"] != "autonomy_enabled: true" {
			t.Errorf("made anew: %+v", v)
		}
	})
}

func TestAWatchThatExpiredIsListedAnew(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := newAPI()
		a.setConfig(onOff("true"))
		f, stop := following(t, a)
		defer stop()
		f.now()
		a.forget()
		a.setConfig(onOff("false"))
		a.forget() // nobody is told of the change
		time.Sleep(3 * time.Second)
		if v := f.now(); v.Problem != "" || v.Files["dev.yaml"] != "autonomy_enabled: false" {
			t.Errorf("%+v", v)
		}
		if n := a.count("GET configmaps"); n > 10 {
			t.Errorf("%d requests in three seconds", n)
		}
	})
}

func TestWhatIsNotSeenIsSaidAndKept(t *testing.T) {
	for _, kind := range []fault{down, silent, refused} {
		synctest.Test(t, func(t *testing.T) {
			a := newAPI()
			a.setConfig(onOff("false"))
			f, stop := following(t, a)
			defer stop()
			f.now()
			a.setFault(func(*http.Request) fault { return kind })
			a.forget() // the connection breaks
			at := time.Now()
			time.Sleep(3 * time.Minute)
			v := f.now()
			if !v.Known || v.Files["dev.yaml"] != "autonomy_enabled: false" || !strings.Contains(v.Problem, "it cannot be followed") || v.At.Sub(at) > 2*time.Second {
				t.Errorf("fault %d: %+v", kind, v)
			}
			if n := a.count("GET configmaps"); n > 40 {
				t.Errorf("fault %d: %d requests in three minutes", kind, n)
			}
			a.setConfig(onOff("true"))
			a.setFault(nil)
			time.Sleep(30 * time.Second)
			if v := f.now(); v.Problem != "" || v.Files["dev.yaml"] != "autonomy_enabled: true" {
				t.Errorf("fault %d, over: %+v", kind, v)
			}
		})
	}
}

func TestAnAPIThatNeverAnsweredIsNotAnEmptyConfigMap(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := newAPI()
		a.setFault(func(*http.Request) fault { return down })
		f := &follower{}
		if err := a.client(t, io.Discard).ConfigMap(mapName, nil, f.see).Look(t.Context()); err == nil {
			t.Error("Look saw something")
		}
		if v := f.now(); v.Known || v.Problem == "" {
			t.Errorf("%+v", v)
		}
	})
}

func TestASilentConnectionIsNoticed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a := newAPI()
		a.setConfig(onOff("true"))
		f, stop := following(t, a)
		defer stop()
		f.now()
		began := time.Now()
		// The watch stays open, and nothing comes any more: the change is lost.
		a.mu.Lock()
		a.config.Data = onOff("false")
		a.mu.Unlock()
		time.Sleep(90 * time.Second)
		if v := f.now(); v.Files["dev.yaml"] != "autonomy_enabled: false" {
			t.Errorf("not seen after %s: %+v", time.Since(began), v)
		}
	})
}
