package agent_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"os/signal"
	"sync"

	"github.com/icos-jobmanager/jobmanager/agent"
)

// notebook is a driver for an orchestrator that only takes notes.
type notebook struct {
	changed chan string // ids of jobs whose workloads have changed

	mu    sync.Mutex // guards the field below
	notes map[string]agent.Job
}

func (n *notebook) Apply(ctx context.Context, job agent.Job) (agent.Result, error) {
	for _, manifest := range job.Manifests {
		slog.Info("would apply", "kind", manifest.Kind, "cluster", job.Target.Cluster)
	}
	if err := n.note(ctx, job); err != nil {
		return agent.Result{}, err
	}
	select {
	case n.changed <- job.ID:
	case <-ctx.Done():
	}
	return agent.Result{UID: "note-" + job.ID, Name: job.Component}, nil
}

// note changes what stands, in one step and only while the job is ours.
func (n *notebook) note(ctx context.Context, job agent.Job) error {
	n.mu.Lock()
	defer n.mu.Unlock()
	if _, stands := n.notes[job.ID]; ctx.Err() != nil && !stands {
		return agent.ErrUntouched
	}
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	n.notes[job.ID] = job
	return nil
}

func (n *notebook) Update(_ context.Context, job agent.Job) (agent.Result, error) {
	return agent.Result{}, fmt.Errorf("a note cannot be changed by %s", job.SubType)
}

func (n *notebook) Replace(ctx context.Context, job agent.Job) (agent.Result, error) {
	return n.Apply(ctx, job)
}

func (n *notebook) Delete(_ context.Context, job agent.Job) error {
	n.mu.Lock()
	defer n.mu.Unlock()
	delete(n.notes, job.ID)
	return nil
}

func (n *notebook) Watch(ctx context.Context, report func(agent.Status) error) error {
	for {
		select {
		case <-ctx.Done():
			return nil
		case id := <-n.changed:
			err := report(agent.Status{JobID: id, Conditions: []agent.Condition{
				{Type: "Available", Status: agent.ConditionTrue, Reason: "Noted"},
			}})
			if errors.Is(err, agent.ErrStale) || errors.Is(err, agent.ErrUnclaimed) {
				slog.Info("somebody else's now", "job", id)
			}
		}
	}
}

// A whole agent. It runs until it is interrupted; without JOBMANAGER_URL it only says what is missing.
func Example() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	err := agent.Run(ctx, agent.Config{
		URL:          os.Getenv("JOBMANAGER_URL"), // such as http://127.0.0.1:8082
		Token:        os.Getenv("JOBMANAGER_TOKEN"),
		Orchestrator: "ocm",
		OwnerID:      "notebook-1",
		Clusters:     []string{"edge-1"},
		Parallel:     4,
		Driver:       &notebook{changed: make(chan string, 100), notes: map[string]agent.Job{}},
		Log:          slog.Default(),
	})
	if err != nil {
		slog.Error("the agent ended", "error", err)
	}
}
