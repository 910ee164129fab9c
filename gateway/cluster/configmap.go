package cluster

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"time"

	core "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/watch"
)

const (
	// watchFor is how long one watch lasts. A new one goes on where it ended, so
	// that an API that has become silent is noticed.
	watchFor = time.Minute
	// watchGrace is how much longer its end is waited for.
	watchGrace = 15 * time.Second
	// listTimeout bounds one look.
	listTimeout = 10 * time.Second
	// greatestPause is how long is waited between two looks that fail, at most.
	greatestPause = 10 * time.Second
)

// A View is a ConfigMap as it was last seen.
type View struct {
	// Known is false until it was seen once.
	Known bool
	// Files are its entries by name; nil if there is no such ConfigMap.
	Files map[string]string
	// At is when it was last known to be so.
	At time.Time
	// Problem says why it may have changed since; empty if it is followed.
	Problem string
}

// A ConfigMap is one that is followed.
type ConfigMap struct {
	api  *API
	name string
	now  func() time.Time
	see  func(View)
	view View // of the one goroutine that follows
}

// ConfigMap follows the ConfigMap of that name. see is told what it is, one
// call at a time, each time that it is known to be so, changed or not. now is
// the wall clock; time.Now if nil.
func (a *API) ConfigMap(name string, now func() time.Time, see func(View)) *ConfigMap {
	if now == nil {
		now = time.Now
	}
	return &ConfigMap{api: a, name: name, now: now, see: see}
}

// Source names it.
func (c *ConfigMap) Source() string { return "configmap " + c.api.namespace + "/" + c.name }

// Look sees it once, before Follow.
func (c *ConfigMap) Look(ctx context.Context) error {
	_, err := c.list(ctx)
	if err != nil {
		c.trouble(err)
	}
	return err
}

// Follow sees every change, until ctx ends; then it returns nil. What fails is
// a problem of the View, and is tried again.
func (c *ConfigMap) Follow(ctx context.Context) error {
	wait := time.Second
	for ctx.Err() == nil {
		version, err := c.list(ctx)
		if err == nil {
			wait = time.Second
			err = c.follow(ctx, version)
		}
		if ctx.Err() != nil {
			return nil
		}
		if err != nil {
			c.trouble(err)
		}
		if pause(ctx, wait) != nil {
			return nil
		}
		wait = min(2*wait, greatestPause)
	}
	return nil
}

// trouble says that it may have changed unseen.
func (c *ConfigMap) trouble(err error) {
	problem := "it cannot be followed: " + briefly(err).Error()
	if problem != c.view.Problem {
		c.api.log.Warn("following the ConfigMap: the mounted file governs meanwhile, with what was seen last", "configmap", c.api.namespace+"/"+c.name, "error", err)
	}
	c.view.Problem = problem
	c.see(c.view)
}

// seen takes the entries of the ConfigMap, nil for none.
func (c *ConfigMap) seen(m *core.ConfigMap) {
	c.view = View{Known: true, At: c.now()}
	if m != nil {
		c.view.Files = make(map[string]string, len(m.Data)+len(m.BinaryData))
		maps.Copy(c.view.Files, m.Data)
		for name, data := range m.BinaryData { // mounted like the others
			c.view.Files[name] = string(data)
		}
	}
	c.see(c.view)
}

// still says that nothing has changed.
func (c *ConfigMap) still() {
	c.view.At, c.view.Problem = c.now(), ""
	c.see(c.view)
}

// only selects the one ConfigMap: the right to list and watch is for its name.
func (c *ConfigMap) only() metav1.ListOptions {
	return metav1.ListOptions{FieldSelector: fields.OneTermEqualSelector("metadata.name", c.name).String()}
}

// list sees the ConfigMap and returns the version after which to watch.
func (c *ConfigMap) list(ctx context.Context) (version string, err error) {
	ctx, cancel := context.WithTimeout(ctx, listTimeout)
	defer cancel()
	found, err := c.api.client.CoreV1().ConfigMaps(c.api.namespace).List(ctx, c.only())
	if err != nil {
		return "", err
	}
	var m *core.ConfigMap
	for i := range found.Items {
		if found.Items[i].Name == c.name {
			m = &found.Items[i]
		}
	}
	c.seen(m)
	return found.ResourceVersion, nil
}

// follow watches, again and again, until it must be listed anew.
func (c *ConfigMap) follow(ctx context.Context, version string) error {
	for {
		began := c.now()
		err := c.watch(ctx, &version)
		if err != nil {
			return err
		}
		c.still() // to its end it would have said what changed
		if c.now().Sub(began) < time.Second {
			if err := pause(ctx, time.Second); err != nil {
				return err
			}
		}
	}
}

// watch is one watch. Without an error it ended as it should.
func (c *ConfigMap) watch(ctx context.Context, version *string) error {
	ctx, cancel := context.WithTimeout(ctx, watchFor+watchGrace)
	defer cancel()
	options := c.only()
	seconds := int64(watchFor / time.Second)
	options.ResourceVersion, options.TimeoutSeconds, options.AllowWatchBookmarks = *version, &seconds, true
	w, err := c.api.client.CoreV1().ConfigMaps(c.api.namespace).Watch(ctx, options)
	if err != nil {
		return err
	}
	defer w.Stop()
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case event, open := <-w.ResultChan():
			if !open {
				return ctx.Err()
			}
			if err := c.take(event, version); err != nil {
				return err
			}
		}
	}
}

// take sees one event of a watch.
func (c *ConfigMap) take(event watch.Event, version *string) error {
	if event.Type == watch.Error {
		return apierrors.FromObject(event.Object)
	}
	m, ok := event.Object.(*core.ConfigMap)
	if !ok {
		return fmt.Errorf("a watch of ConfigMaps sent %T", event.Object)
	}
	*version = m.ResourceVersion
	switch {
	case event.Type == watch.Bookmark:
		c.still()
	case m.Name != c.name:
		return errors.New("a watch of one ConfigMap sent another")
	case event.Type == watch.Deleted:
		c.seen(nil)
	default:
		c.seen(m)
	}
	return nil
}
