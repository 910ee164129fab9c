package spider

import "leviathan/gateway"

// applyPull moves the state by what an event says of a pull request.
func (f *fold) applyPull() {
	key := f.pullKey()
	switch f.event.EventType {
	case gateway.EventPullIntended:
		f.hold(key)
	case gateway.EventPullCreated:
		f.pullCreated(key)
	case gateway.EventPullVoided:
		delete(f.st.Pulls, key)
	case gateway.EventPullMerged:
		f.pullMerged(key)
	case gateway.EventPullClosed:
		f.pullClosed(key)
	case gateway.EventForgeObserved:
		f.target().Unlisted = len(f.said.Unlisted)
	}
}

// hold keeps a pull request until it is seen to end.
func (f *fold) hold(key string) *pull {
	p := f.st.Pulls[key]
	if p == nil {
		if len(f.st.Pulls) >= maxTracked {
			f.st.Untracked++
			return nil
		}
		f.target()
		p = &pull{Target: f.label, Task: f.task}
		f.st.Pulls[key] = p
	}
	return p
}

func (f *fold) pullCreated(key string) {
	f.moves(gateway.Proposed)
	t := f.target()
	add(&t.Pulls, "created")
	if p := f.hold(key); p != nil {
		p.Number = f.said.PRNumber
	}
	if work := f.st.Tasks[f.task]; work != nil && !work.Proposed {
		work.Proposed = true
		t.ToPull = t.ToPull.observe(taskBounds, work.Ready, f.at)
	}
}

// ends takes a pull request away. An event that says its number alone, as 0.4
// wrote it, finds it by that; its task comes from when it was opened.
func (f *fold) ends(key string) string {
	p := f.st.Pulls[key]
	for other, open := range f.st.Pulls {
		if p == nil && f.attempt == "" && f.said.PRNumber != 0 && open.Number == f.said.PRNumber && open.Target == f.label {
			p, key = open, other
		}
	}
	if p != nil && f.task == "" {
		f.task = p.Task
	}
	delete(f.st.Pulls, key)
	return key
}

func (f *fold) pullMerged(key string) {
	key = f.ends(key)
	t := f.target()
	add(&t.Pulls, "merged")
	t.Accepted++
	if work := f.st.Tasks[f.task]; work != nil {
		if work.Declined == key { // closed first, then merged after all
			t.Declined--
		}
		t.ToMerge = t.ToMerge.observe(taskBounds, work.Ready, f.at)
		delete(f.st.Tasks, f.task)
	}
}

func (f *fold) pullClosed(key string) {
	key = f.ends(key)
	t := f.target()
	add(&t.Pulls, "closed")
	t.Declined++
	f.withTask(func(w *task) { w.Declined = key })
}
