package agent

import "sync"

const (
	mostOffers = 1024
	batchLimit = 16  // jobs in one claimJobs: an answer holds all their manifests
	renewLimit = 500 // leases in one renewLeases, as the server has it
)

// offer is a job that the server says this agent may claim.
type offer struct {
	ID    string `json:"id"`
	Epoch int64  `json:"epoch"`
}

// desk knows the offers that wait, the work in progress and the free slots. Offers are only hints: one that
// finds no room is dropped, and the server is asked for work instead once a slot is free.
type desk struct {
	// changed has something in it when next may have another answer than before.
	changed chan struct{}

	mu      sync.Mutex // guards the fields below
	free    int
	waiting []string         // job ids, the oldest offer first
	offered map[string]int64 // the epochs of those that wait
	missed  bool             // jobs may be executable that no waiting offer names
	asking  bool             // a claimJobs is under way
	working map[string]*work // by job; of several at one job, the newest
}

// task is what to do next with slots that were taken for it.
type task struct {
	offer *offer // claim this job; nil: ask for as many jobs as there are slots
	slots int
}

func newDesk(slots int) *desk {
	return &desk{
		changed: make(chan struct{}, 1), free: slots,
		offered: map[string]int64{}, working: map[string]*work{},
	}
}

func (d *desk) wake() {
	select {
	case d.changed <- struct{}{}:
	default:
	}
}

// put takes an offer. A job is offered again with a newer epoch only after it was taken from whoever held it:
// when that is this agent, the work is outdated, which this notices long before the next renewal.
func (d *desk) put(o offer) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if w, busy := d.working[o.ID]; busy && w.job.Epoch < o.Epoch {
		w.outdate()
	}
	if _, known := d.offered[o.ID]; known {
		d.offered[o.ID] = max(d.offered[o.ID], o.Epoch)
		return
	}
	if len(d.waiting) < mostOffers {
		d.waiting = append(d.waiting, o.ID)
		d.offered[o.ID] = o.Epoch
	} else {
		d.missed = true
	}
	d.wake()
}

// next takes slots for the next task; false when there is nothing to do or no slot. A job that is worked on
// waits until the driver has let go of it.
func (d *desk) next() (task, bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.free < 1 {
		return task{}, false
	}
	for i, id := range d.waiting {
		if d.working[id] != nil {
			continue
		}
		next := offer{ID: id, Epoch: d.offered[id]}
		d.waiting = append(d.waiting[:i], d.waiting[i+1:]...)
		delete(d.offered, id)
		d.free--
		return task{offer: &next, slots: 1}, true
	}
	if !d.missed || d.asking {
		return task{}, false
	}
	slots := min(d.free, batchLimit)
	d.free -= slots
	d.missed, d.asking = false, true
	return task{slots: slots}, true
}

// asked ends a claimJobs. When more may be executable, the next free slot asks again.
func (d *desk) asked(more bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.asking = false
	d.missed = d.missed || more
	d.wake()
}

// miss notes that a job may be executable that no offer names any more.
func (d *desk) miss() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.missed = true
	d.wake()
}

// release gives slots back.
func (d *desk) release(slots int) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.free += slots
	d.wake()
}

// begin notes a work in progress and gives the one at the same job that it follows, outdated; nil for none.
func (d *desk) begin(w *work) *work {
	d.mu.Lock()
	defer d.mu.Unlock()
	former := d.working[w.job.ID]
	if former != nil {
		former.outdate()
	}
	d.working[w.job.ID] = w
	return former
}

// end forgets a work, unless another one has followed it.
func (d *desk) end(w *work) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.working[w.job.ID] == w {
		delete(d.working, w.job.ID)
	}
	d.wake()
}

// current gives the works whose leases matter, at most renewLimit in each batch.
func (d *desk) current() [][]*work {
	d.mu.Lock()
	defer d.mu.Unlock()
	var batches [][]*work
	for _, w := range d.working {
		if w.fence.Err() != nil {
			continue
		}
		if last := len(batches) - 1; last >= 0 && len(batches[last]) < renewLimit {
			batches[last] = append(batches[last], w)
		} else {
			batches = append(batches, []*work{w})
		}
	}
	return batches
}
