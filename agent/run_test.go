package agent_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"github.com/icos-jobmanager/jobmanager/agent"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// driver is a Driver with a function for each method; those that are not set succeed at once.
type driver struct {
	apply  func(ctx context.Context, job agent.Job) (agent.Result, error)
	update func(ctx context.Context, job agent.Job) (agent.Result, error)
	remove func(ctx context.Context, job agent.Job) error
	watch  func(ctx context.Context, report func(agent.Status) error) error

	mu     sync.Mutex // guards the fields below
	driven []agent.Job
}

func (d *driver) note(job agent.Job) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.driven = append(d.driven, job)
}

func (d *driver) jobs() []agent.Job {
	d.mu.Lock()
	defer d.mu.Unlock()
	return append([]agent.Job{}, d.driven...)
}

func (d *driver) Apply(ctx context.Context, job agent.Job) (agent.Result, error) {
	d.note(job)
	if d.apply == nil {
		return agent.Result{}, nil
	}
	return d.apply(ctx, job)
}

func (d *driver) Update(ctx context.Context, job agent.Job) (agent.Result, error) {
	d.note(job)
	if d.update == nil {
		return agent.Result{}, nil
	}
	return d.update(ctx, job)
}

func (d *driver) Replace(ctx context.Context, job agent.Job) (agent.Result, error) {
	return d.Apply(ctx, job)
}

func (d *driver) Delete(ctx context.Context, job agent.Job) error {
	d.note(job)
	if d.remove == nil {
		return nil
	}
	return d.remove(ctx, job)
}

func (d *driver) Watch(ctx context.Context, report func(agent.Status) error) error {
	if d.watch == nil {
		return nil
	}
	return d.watch(ctx, report)
}

// running is an agent in a test.
type running struct {
	*fake
	stop   context.CancelFunc
	result chan error
}

// start runs an agent against the fake server. Its end is waited for when the test ends.
func start(t *testing.T, f *fake, d agent.Driver, change func(*agent.Config)) *running {
	t.Helper()
	config := agent.Config{
		URL: "http://jobs.test", Token: "secret-token", Orchestrator: "ocm", OwnerID: "agent-1", Parallel: 1,
		Clusters: []string{"edge-1"}, Driver: d, HTTPClient: f.serve(),
		Log: slog.New(slog.NewTextHandler(t.Output(), nil)),
	}
	if change != nil {
		change(&config)
	}
	ctx, cancel := context.WithCancel(t.Context())
	r := &running{fake: f, stop: cancel, result: make(chan error, 1)}
	var wg sync.WaitGroup
	wg.Go(func() { r.result <- agent.Run(ctx, config) })
	t.Cleanup(func() {
		cancel()
		wg.Wait()
	})
	return r
}

// bubble runs a test on a clock that moves when everybody waits.
func bubble(t *testing.T, test func(t *testing.T)) {
	t.Helper()
	t.Parallel()
	synctest.Test(t, test)
}

// hold is a driver's method that works until its context ends, and then says why it ended.
func hold(ended chan<- error) func(context.Context, agent.Job) (agent.Result, error) {
	return func(ctx context.Context, _ agent.Job) (agent.Result, error) {
		<-ctx.Done()
		ended <- context.Cause(ctx)
		return agent.Result{}, ctx.Err()
	}
}

func TestAnOfferedJobIsClaimedDrivenAndFinished(t *testing.T) {
	bubble(t, func(t *testing.T) {
		at := time.Now()
		d := &driver{apply: func(context.Context, agent.Job) (agent.Result, error) {
			return agent.Result{UID: "u1", Name: "web-1", Conditions: []agent.Condition{
				{Type: "Applied", Status: agent.ConditionTrue, Reason: "Done", LastTransitionTime: at},
			}}, nil
		}}
		r := start(t, newFake(t), d, nil)
		r.offer("j1")
		finish := r.await("finishJob", 1)
		if finish.jobID() != "j1" || finish.epoch() != 1 || finish.input["ownerId"] != "agent-1" {
			t.Errorf("finished with %v", finish.input)
		}
		want := fmt.Sprintf("map[conditions:[map[lastTransitionTime:%s message: reason:Done status:TRUE type:Applied]] name:web-1 uid:u1]",
			at.UTC().Format(time.RFC3339))
		if got := fmt.Sprint(finish.input["resource"]); got != want {
			t.Errorf("resource %s, want %s", got, want)
		}
		claim := r.await("claimJob", 1)
		if claim.input["leaseSeconds"] != 60.0 || claim.input["orchestrator"] != "ocm" || claim.input["claimId"] == "" {
			t.Errorf("claimed with %v", claim.input)
		}
		if claim.token != "Bearer secret-token" || fmt.Sprint(r.hello) != "map[Authorization:Bearer secret-token]" {
			t.Errorf("the token went as %q and %v", claim.token, r.hello)
		}
		job := d.jobs()[0]
		if job.GroupID != "g1" || job.ApplicationName != "shop" || job.Target.Cluster != "edge-1" || job.Type != agent.CreateDeployment ||
			job.Manifests[0].APIVersion != "v1" || job.Manifests[0].Text != "kind: ConfigMap\n" || job.Generation != 1 {
			t.Errorf("driven with %+v", job)
		}
	})
}

func TestADriversErrorAndPanicFailTheJobAndTheNextOneRuns(t *testing.T) {
	bubble(t, func(t *testing.T) {
		d := &driver{apply: func(_ context.Context, job agent.Job) (agent.Result, error) {
			switch job.ID {
			case "long":
				return agent.Result{}, errors.New(strings.Repeat("é", 4000))
			case "panic":
				job.Manifests[job.Generation].Name = "" // panics: there is one
			}
			return agent.Result{}, nil
		}}
		r := start(t, newFake(t), d, nil)
		r.offer("long")
		if reason := r.await("failJob", 1).input["reason"].(string); reason != strings.Repeat("é", 2048) {
			t.Errorf("a reason of %d bytes", len(reason))
		}
		r.offer("panic")
		if reason := r.await("failJob", 2).input["reason"].(string); !strings.Contains(reason, "out of range") {
			t.Errorf("reason %q", reason)
		}
		r.offer("good")
		r.await("finishJob", 1)
	})
}

func TestAClaimIsRepeatedUnderItsIDUntilItIsAnswered(t *testing.T) {
	bubble(t, func(t *testing.T) {
		f := newFake(t)
		f.on("claimJob", f.first(2, errDrop))
		r := start(t, f, &driver{}, nil)
		r.offer("j1")
		r.await("finishJob", 1)
		claims := r.of("claimJob")
		if len(claims) != 3 || claims[0].input["claimId"] != claims[2].input["claimId"] {
			t.Errorf("claims %v", claims)
		}
		r.offer("j2")
		if next := r.await("claimJob", 4); next.input["claimId"] == claims[0].input["claimId"] {
			t.Error("another job was claimed under the same id")
		}
	})
}

func TestAJobThatAnotherAgentWonIsLeftAlone(t *testing.T) {
	bubble(t, func(t *testing.T) {
		f := newFake(t)
		f.on("claimJob", code("NOT_CLAIMABLE"))
		d := &driver{}
		r := start(t, f, d, nil)
		r.offer("j1")
		r.await("claimJob", 1)
		f.friendly("claimJob")
		r.offer("j2")
		r.await("finishJob", 1)
		if jobs := d.jobs(); len(jobs) != 1 || jobs[0].ID != "j2" || len(r.of("claimJob")) != 2 {
			t.Errorf("driven %v with %d claims", jobs, len(r.of("claimJob")))
		}
	})
}

func TestParallelBoundsTheWorkAndNoOfferIsLost(t *testing.T) {
	bubble(t, func(t *testing.T) {
		const jobs, parallel = 1100, 3 // more than the queue holds
		f := newFake(t)
		var mu sync.Mutex
		busy, most, open := 0, 0, map[string]bool{}
		for i := range jobs {
			open[fmt.Sprintf("j%04d", i)] = true
		}
		f.on("claimJob", func(c call) (any, error) {
			mu.Lock()
			defer mu.Unlock()
			if !open[c.jobID()] {
				return nil, &agent.Error{Code: "NOT_CLAIMABLE"}
			}
			delete(open, c.jobID())
			return map[string]any{"job": f.claim(c.jobID())}, nil
		})
		f.on("claimJobs", func(c call) (any, error) {
			mu.Lock()
			defer mu.Unlock()
			won := []any{}
			for id := range open {
				if len(won) == int(c.input["first"].(float64)) {
					break
				}
				delete(open, id)
				won = append(won, f.claim(id))
			}
			return map[string]any{"jobs": won}, nil
		})
		d := &driver{apply: func(context.Context, agent.Job) (agent.Result, error) {
			mu.Lock()
			busy++
			most = max(most, busy)
			mu.Unlock()
			<-time.After(time.Second)
			mu.Lock()
			busy--
			mu.Unlock()
			return agent.Result{}, nil
		}}
		r := start(t, f, d, func(c *agent.Config) { c.Parallel = parallel })
		for i := range jobs {
			r.offer(fmt.Sprintf("j%04d", i))
		}
		r.offer("j1099") // as after a reconnect
		r.await("finishJob", jobs)
		if most != parallel || len(d.jobs()) != jobs {
			t.Errorf("%d at once, %d driven", most, len(d.jobs()))
		}
		if asked := len(r.of("claimJobs")); asked == 0 || asked > jobs/2 {
			t.Errorf("asked for jobs %d times", asked)
		}
	})
}

func TestTheSameOfferAgainIsQueuedOnce(t *testing.T) {
	bubble(t, func(t *testing.T) {
		let := make(chan struct{})
		d := &driver{apply: func(_ context.Context, job agent.Job) (agent.Result, error) {
			if job.ID == "j1" {
				<-let
			}
			return agent.Result{}, nil
		}}
		r := start(t, newFake(t), d, nil)
		r.offer("j1")
		r.await("claimJob", 1)
		for range 5 {
			r.offer("j2")
		}
		r.hangUp()
		synctest.Wait()
		<-time.After(time.Minute)
		r.offer("j2")
		r.offer("j3")
		synctest.Wait()
		close(let)
		r.await("finishJob", 3)
		if claims := r.of("claimJob"); len(claims) != 3 {
			t.Errorf("%d claims", len(claims))
		}
	})
}

// Without a bubble: real sockets, TLS, and the client that speaks HTTP/2 where it can.
func TestItWorksOverTLSOnARealNetwork(t *testing.T) {
	t.Parallel()
	f := newFake(t)
	server := httptest.NewUnstartedServer(f)
	server.EnableHTTP2 = true
	server.StartTLS()
	defer server.Close()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	result := make(chan error, 1)
	go func() {
		result <- agent.Run(ctx, agent.Config{
			URL: server.URL + "/", Orchestrator: "ocm", OwnerID: "agent-1", Driver: &driver{}, HTTPClient: server.Client(),
		})
	}()
	f.offer("j1")
	f.await("finishJob", 1)
	cancel()
	if err := <-result; err != nil {
		t.Error(err)
	}
}
