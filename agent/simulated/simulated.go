// Package simulated is a driver without an orchestrator, for demonstrations, load and tests: it keeps its
// workloads in memory, takes the time and fails as often as it is told, and sends the conditions that a real
// orchestrator would. What it does is decided by the seed and the jobs, not by the order in which they come.
// It reads no manifest. Start at New; Driver.Workloads shows what stands.
package simulated

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/google/uuid"

	"github.com/icos-jobmanager/jobmanager/agent"
)

// Config says how the simulated orchestrator behaves. The zero value is one that is quick and never fails.
type Config struct {
	// Latency is what each piece of work takes, with up to Jitter more.
	Latency, Jitter time.Duration
	// FailureRate is the part of the attempts that fail: 0 for none, 1 for all.
	FailureRate float64
	// FlakyRate is the part of the status intervals in which a workload is not available.
	FlakyRate float64
	// StatusEvery is the interval of the status stream; 5 s. A workload is Progressing for the first one.
	StatusEvery time.Duration
	// RepeatEvery is how often the status stream tells everything again though nothing changed; 2 min. A server that
	// took the agent for silent in between knows nothing of its workloads until they are told again.
	RepeatEvery time.Duration
	// Seed of all that is decided by chance.
	Seed uint64
	// Log takes what is done; nothing is logged by default.
	Log *slog.Logger
}

// Driver is an agent.Driver. It may serve several agents at once: they then share the clusters, as the agents
// of one orchestrator do.
type Driver struct {
	config Config

	mu     sync.Mutex           // guards the fields below
	stands map[string]*workload // by job id
	done   map[work]int
	made   map[string]int // how many workloads a job had so far
}

var _ agent.Driver = (*Driver)(nil)

// work is one piece of work on one job.
type work struct {
	jobID      string
	generation int64
}

// Workload is what stands for one job.
type Workload struct {
	JobID, Component, Namespace string
	Cluster                     string
	UID, Name                   string
	// Generation of the work that changed it last.
	Generation int64
	// Replicas is 1 at first; scale-up and scale-out add one, scale-down and scale-in take one, down to 1.
	Replicas int
	// Conditions as the status stream tells them.
	Conditions []agent.Condition
}

// New makes a driver with empty clusters.
func New(config Config) *Driver {
	if config.StatusEvery <= 0 {
		config.StatusEvery = 5 * time.Second
	}
	if config.RepeatEvery <= 0 {
		config.RepeatEvery = 2 * time.Minute
	}
	if config.Log == nil {
		config.Log = slog.New(slog.DiscardHandler)
	}
	return &Driver{config: config, stands: map[string]*workload{}, done: map[work]int{}, made: map[string]int{}}
}

// Workloads gives what stands now, by cluster and job id.
func (d *Driver) Workloads() []Workload {
	d.mu.Lock()
	defer d.mu.Unlock()
	now := time.Now()
	all := make([]Workload, 0, len(d.stands))
	for w := range maps.Values(d.stands) {
		d.advance(w, now)
		shown := w.Workload
		shown.Conditions = slices.Clone(w.Conditions)
		all = append(all, shown)
	}
	slices.SortFunc(all, func(a, b Workload) int {
		return cmp.Or(strings.Compare(a.Cluster, b.Cluster), strings.Compare(a.JobID, b.JobID))
	})
	return all
}

// Done is how often this generation of the job's work was carried out, failed attempts left out. More than
// once is right only where another claim lay in between.
func (d *Driver) Done(jobID string, generation int64) int {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.done[work{jobID, generation}]
}

// Apply brings up a workload with one replica; one that stands already keeps its uid.
func (d *Driver) Apply(ctx context.Context, job agent.Job) (agent.Result, error) {
	return d.carryOut(ctx, job, func(now time.Time) (agent.Result, error) {
		return d.changed(d.standing(job), job, now), nil
	})
}

// Replace is Apply: there are no manifests to compare.
func (d *Driver) Replace(ctx context.Context, job agent.Job) (agent.Result, error) {
	return d.Apply(ctx, job)
}

// Update scales the workload, restarts it (patch), or removes it (reallocation). It is an error when nothing
// stands, or when the remediation is another one.
func (d *Driver) Update(ctx context.Context, job agent.Job) (agent.Result, error) {
	return d.carryOut(ctx, job, func(now time.Time) (agent.Result, error) {
		w, stands := d.stands[job.ID]
		switch {
		case job.SubType == "reallocation":
			delete(d.stands, job.ID)
			return agent.Result{}, nil
		case !stands:
			return agent.Result{}, errors.New("nothing stands that could be updated")
		}
		switch job.SubType {
		case "scale-up", "scale-out":
			w.Replicas++
		case "scale-down", "scale-in":
			w.Replicas = max(1, w.Replicas-1)
		case "patch":
		default:
			return agent.Result{}, fmt.Errorf("the simulated orchestrator does not know the remediation %q", job.SubType)
		}
		return d.changed(w, job, now), nil
	})
}

// Delete removes the workload, if any.
func (d *Driver) Delete(ctx context.Context, job agent.Job) error {
	_, err := d.carryOut(ctx, job, func(time.Time) (agent.Result, error) {
		delete(d.stands, job.ID)
		return agent.Result{}, nil
	})
	return err
}

// carryOut takes its time, fails as often as it should, and else changes the world in one step.
func (d *Driver) carryOut(ctx context.Context, job agent.Job, change func(now time.Time) (agent.Result, error)) (agent.Result, error) {
	chance := d.chance(job.ID, uint64(job.Generation), uint64(job.Epoch)) //nolint:gosec // only mixed into a seed
	wait := d.config.Latency
	if d.config.Jitter > 0 {
		wait += time.Duration(chance.Int64N(int64(d.config.Jitter)))
	}
	timer := time.NewTimer(wait)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return agent.Result{}, d.interrupted(ctx, job)
	case <-timer.C:
	}
	if chance.Float64() < d.config.FailureRate {
		d.config.Log.Info("simulated failure", "job", job.ID, "generation", job.Generation)
		return agent.Result{}, fmt.Errorf("simulated failure of attempt %d", job.Attempt)
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if ctx.Err() != nil {
		// Whoever holds the job now may be at it already.
		return agent.Result{}, context.Cause(ctx)
	}
	result, err := change(time.Now())
	if err == nil {
		d.done[work{job.ID, job.Generation}]++
		d.config.Log.Info("simulated work", "job", job.ID, "type", job.Type, "generation", job.Generation)
	}
	return result, err
}

// interrupted is the error of a work whose context ended before it changed anything.
func (d *Driver) interrupted(ctx context.Context, job agent.Job) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	if _, stands := d.stands[job.ID]; stands {
		return context.Cause(ctx)
	}
	return fmt.Errorf("%w: %w", agent.ErrUntouched, context.Cause(ctx))
}

// standing gives the job's workload, made when there is none. The caller holds the mutex.
func (d *Driver) standing(job agent.Job) *workload {
	if w, stands := d.stands[job.ID]; stands {
		return w
	}
	d.made[job.ID]++
	w := &workload{Workload: Workload{
		JobID: job.ID, Component: job.Component, Namespace: job.Namespace, Cluster: job.Target.Cluster,
		UID:  uuid.NewSHA1(uuid.NameSpaceOID, fmt.Appendf(nil, "%d/%s/%d", d.config.Seed, job.ID, d.made[job.ID])).String(),
		Name: job.Component, Replicas: 1,
	}}
	d.stands[job.ID] = w
	return w
}

// changed starts a workload's way to being available anew. The caller holds the mutex.
func (d *Driver) changed(w *workload, job agent.Job, now time.Time) agent.Result {
	w.Generation, w.since = job.Generation, now
	w.enter(progressing, now)
	return agent.Result{UID: w.UID, Name: w.Name, Conditions: slices.Clone(w.Conditions)}
}
