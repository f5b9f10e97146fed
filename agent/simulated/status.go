package simulated

import (
	"context"
	"errors"
	"hash/fnv"
	"math/rand/v2"
	"slices"
	"strings"
	"time"

	"github.com/icos-jobmanager/jobmanager/agent"
)

// workload is a Workload with its way through time.
type workload struct {
	Workload
	since   time.Time // of the last work
	phase   phase
	version int // grows with each change of the conditions
}

// phase is how a workload does. It follows from the time since the last work alone.
type phase int

const (
	unborn phase = iota
	progressing
	available
	flaky
)

// Watch reports, once for each interval, every workload whose conditions this agent has not told yet, and all of
// them now and then. It returns when ctx has ended.
func (d *Driver) Watch(ctx context.Context, report func(agent.Status) error) error {
	told := map[string]int{} // the versions, by uid
	ticker := time.NewTicker(d.config.StatusEvery)
	defer ticker.Stop()
	repeat := time.NewTicker(d.config.RepeatEvery)
	defer repeat.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-repeat.C:
			clear(told)
			continue
		case <-ticker.C:
		}
		for _, news := range d.news(told) {
			err := report(news.status)
			if ctx.Err() != nil {
				return nil
			}
			// What another agent has to tell is not tried again until it changes; anything else is.
			if err == nil || errors.Is(err, agent.ErrStale) || errors.Is(err, agent.ErrUnclaimed) {
				told[news.status.UID] = news.version
			} else {
				d.config.Log.Warn("status not taken", "job", news.status.JobID, "error", err)
			}
		}
	}
}

type news struct {
	status  agent.Status
	version int
}

// news gives what was not told, by job id, and forgets what no longer stands.
func (d *Driver) news(told map[string]int) []news {
	d.mu.Lock()
	defer d.mu.Unlock()
	now := time.Now()
	var all []news
	stand := make(map[string]bool, len(d.stands))
	for _, w := range d.stands {
		d.advance(w, now)
		stand[w.UID] = true
		if told[w.UID] < w.version {
			status := agent.Status{JobID: w.JobID, UID: w.UID, Name: w.Name, Conditions: slices.Clone(w.Conditions)}
			all = append(all, news{status, w.version})
		}
	}
	for uid := range told {
		if !stand[uid] {
			delete(told, uid)
		}
	}
	slices.SortFunc(all, func(a, b news) int { return strings.Compare(a.status.JobID, b.status.JobID) })
	return all
}

// advance brings a workload to where it is now. The caller holds the mutex.
func (d *Driver) advance(w *workload, now time.Time) {
	interval := now.Sub(w.since) / d.config.StatusEvery
	next := available
	switch {
	case interval < 1:
		next = progressing
	case d.chance(w.UID, uint64(w.Generation), uint64(interval)).Float64() < d.config.FlakyRate: //nolint:gosec // only mixed into a seed
		next = flaky
	}
	if next != w.phase {
		w.enter(next, now)
	}
}

// enter sets the conditions of a phase. Those whose status stays keep their time.
func (w *workload) enter(next phase, now time.Time) {
	w.phase = next
	w.version++
	w.set(now, "Applied", true, "ManifestsApplied")
	switch next {
	case progressing:
		w.set(now, "Progressing", true, "RollingOut")
	case available:
		w.set(now, "Progressing", false, "RolledOut")
		w.set(now, "Available", true, "AllReplicasReady")
		w.set(now, "Degraded", false, "AsExpected")
	case flaky:
		w.set(now, "Progressing", false, "RolledOut")
		w.set(now, "Available", false, "ReplicaLost")
		w.set(now, "Degraded", true, "ReplicaLost")
	case unborn:
	}
}

func (w *workload) set(now time.Time, kind string, holds bool, reason string) {
	status := agent.ConditionFalse
	if holds {
		status = agent.ConditionTrue
	}
	fresh := agent.Condition{
		Type: kind, Status: status, Reason: reason, ObservedGeneration: w.Generation, LastTransitionTime: now,
	}
	i := slices.IndexFunc(w.Conditions, func(c agent.Condition) bool { return c.Type == kind })
	switch {
	case i < 0:
		w.Conditions = append(w.Conditions, fresh)
		return
	case w.Conditions[i].Status == status:
		fresh.LastTransitionTime = w.Conditions[i].LastTransitionTime
	}
	w.Conditions[i] = fresh
}

// chance is a source of its own for each thing that is decided, so that the order of the jobs decides nothing.
func (d *Driver) chance(name string, numbers ...uint64) *rand.Rand {
	sum := fnv.New64a()
	sum.Write([]byte(name)) // a hash never fails
	mixed := sum.Sum64()
	for _, n := range numbers {
		mixed = mixed*0x9E3779B97F4A7C15 + n
	}
	return rand.New(rand.NewPCG(d.config.Seed, mixed)) //nolint:gosec // a simulation
}
