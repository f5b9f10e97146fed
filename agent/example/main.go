// Command example is a whole agent to copy from. It takes the jobs of one cluster from a Job Manager; its
// orchestrator is a notebook, which notes what should run and says that it does. Put a driver of your own in
// the notebook's place; agent.Driver says what it must keep to.
//
//	JOBMANAGER_URL=http://127.0.0.1:8082 go run ./agent/example
//
// JOBMANAGER_TOKEN is for a server that wants one. Start at run.
package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/signal"
	"sync"
	"syscall"

	"github.com/icos-jobmanager/jobmanager/agent"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	err := run(ctx, cmp.Or(os.Getenv("JOBMANAGER_URL"), "http://127.0.0.1:8082"), os.Getenv("JOBMANAGER_TOKEN"))
	stop()
	if err != nil {
		slog.Error("the agent ended", "error", err)
		os.Exit(1)
	}
}

// cluster whose jobs the example takes: the first one that a Job Manager without a Matchmaker knows.
const cluster = "factory-hall"

// run is the agent, until ctx ends.
func run(ctx context.Context, url, token string) error {
	return agent.Run(ctx, agent.Config{
		URL:          url,
		Token:        token,
		Orchestrator: "ocm",
		OwnerID:      "notebook-1",
		Clusters:     []string{cluster},
		Parallel:     4,
		Driver:       &notebook{noted: make(chan agent.Job, 100), notes: map[string]agent.Job{}},
		Log:          slog.Default(),
	})
}

// notebook is a driver that only takes notes.
type notebook struct {
	noted chan agent.Job // whose status is to be told

	mu    sync.Mutex // guards the field below
	notes map[string]agent.Job
}

var _ agent.Driver = (*notebook)(nil)

// Apply may come again for a job that is noted already: it notes the same.
func (n *notebook) Apply(ctx context.Context, job agent.Job) (agent.Result, error) {
	if err := n.note(ctx, job); err != nil {
		return agent.Result{}, err
	}
	for _, manifest := range job.Manifests {
		slog.Info("runs", "component", job.Component, "kind", manifest.Kind, "cluster", job.Target.Cluster)
	}
	select {
	case n.noted <- job:
	case <-ctx.Done():
	}
	return agent.Result{UID: uid(job), Name: job.Component}, nil
}

// uid is what the orchestrator calls the workload. Results and statuses must agree on it: another one is
// another workload to the server, and begins without conditions.
func uid(job agent.Job) string { return "note-" + job.ID }

// note changes what stands, in one step and only while the job is this agent's.
func (n *notebook) note(ctx context.Context, job agent.Job) error {
	n.mu.Lock()
	defer n.mu.Unlock()
	if _, stands := n.notes[job.ID]; ctx.Err() != nil && !stands {
		return agent.ErrUntouched // nothing was begun, so another agent can begin at once
	}
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	n.notes[job.ID] = job
	return nil
}

// Update refuses: there is nothing to scale or move in a notebook.
func (*notebook) Update(_ context.Context, job agent.Job) (agent.Result, error) {
	return agent.Result{}, fmt.Errorf("a note cannot be changed by %s", job.SubType)
}

// Replace notes the new manifests in the place of the old ones.
func (n *notebook) Replace(ctx context.Context, job agent.Job) (agent.Result, error) {
	return n.Apply(ctx, job)
}

// Delete is done as well when there is no note.
func (n *notebook) Delete(ctx context.Context, job agent.Job) error {
	n.mu.Lock()
	defer n.mu.Unlock()
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	delete(n.notes, job.ID)
	slog.Info("is gone", "component", job.Component)
	return nil
}

// Watch tells that what was noted is available.
func (n *notebook) Watch(ctx context.Context, report func(agent.Status) error) error {
	for {
		select {
		case <-ctx.Done():
			return nil
		case job := <-n.noted:
			err := report(agent.Status{JobID: job.ID, UID: uid(job), Name: job.Component, Conditions: []agent.Condition{
				{Type: "Available", Status: agent.ConditionTrue, Reason: "Noted"},
			}})
			if errors.Is(err, agent.ErrStale) || errors.Is(err, agent.ErrUnclaimed) {
				slog.Info("is no longer ours", "component", job.Component)
			} else if err != nil && ctx.Err() == nil {
				slog.Error("the status was refused", "component", job.Component, "error", err)
			}
		}
	}
}
