package service_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/anishathalye/porcupine"

	"github.com/icos-jobmanager/jobmanager/internal/jobmanager"
	"github.com/icos-jobmanager/jobmanager/internal/service"
	"github.com/icos-jobmanager/jobmanager/internal/testkit"
)

// The crowd of the linearizability test. The clock stands still while the clients work, and moves between their
// turns: a lease of 15 s is live one turn after it was taken or renewed, and over after two.
const (
	crowd        = 24
	crowdedJobs  = 5
	turns        = 8
	askedInATurn = 3
	turnSeconds  = 10
	leaseSeconds = 15
)

// TestProofClaimsAreLinearizable lets a crowd claim, renew, finish, fail, release and expire a few jobs at once, some
// of them cut off in the middle, and asks porcupine whether there is an order in which all answers are right.
func TestProofClaimsAreLinearizable(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, fresh database) {
		for round := range testkit.Rounds(4, 100) {
			t.Run(fmt.Sprintf("round %d", round+1), func(t *testing.T) { jostle(t, fresh(t), rand.Uint64()) })
		}
	})
}

// scene is one round.
type scene struct {
	*server
	t    *testing.T
	jobs []jobmanager.ID
	// tick orders calls and returns.
	tick    atomic.Int64
	seconds int64

	mu      sync.Mutex // guards history
	history []porcupine.Operation
}

func jostle(t *testing.T, url string, seed uint64) {
	life := jobmanager.DefaultLifeCycle()
	life.Backoff, life.MaxBackoff, life.HandOut, life.MaxAttempts = 0, 0, 0, 1<<30 // what time alone decides is not the question here
	s := &scene{server: mustServe(t, setting{url: url, life: life}), t: t}
	s.matchmaker.learn(1, "o-1")
	s.jobs = mustSubmit(t, s.server, "jostled", crowdedJobs)
	for turn := range turns {
		var clients sync.WaitGroup
		for i := range crowd {
			c := client{scene: s, name: jobmanager.OwnerID(fmt.Sprintf("agent-%d", i/2)), id: i, dice: rand.New(rand.NewPCG(seed, uint64(turn*crowd+i)))}
			clients.Go(func() {
				for range askedInATurn {
					c.act(t.Context())
				}
			})
		}
		clients.Wait()
		s.clock.Advance(turnSeconds * time.Second)
		s.seconds += turnSeconds
	}
	reader := client{scene: s, id: crowd}
	for job := range s.jobs {
		reader.ask(t.Context(), request{job: job, verb: linearRead})
	}
	result, info := porcupine.CheckOperationsVerbose(ownership(), s.history, time.Minute)
	if result != porcupine.Ok {
		path := filepath.Join(t.ArtifactDir(), "history.html")
		if err := porcupine.VisualizePath(ownership(), info, path); err != nil {
			t.Error(err)
		}
		t.Errorf("the answers of %d requests (seed %d) are %s, see %s (go test -artifacts keeps it)", len(s.history), seed, result, path)
	}
	mustAgreeWithLog(t, s.server)
}

// client is one process; two of them call themselves the same agent and know nothing of each other.
type client struct {
	*scene
	name jobmanager.OwnerID
	id   int
	dice *rand.Rand
}

// act does one thing, now and then with a job that the agent believes to own: the rest of its leases runs out.
func (c *client) act(ctx context.Context) {
	job := c.dice.IntN(len(c.jobs))
	for _, other := range c.dice.Perm(len(c.jobs)) {
		if _, owned := c.lastEpoch(other); owned && c.dice.IntN(3) == 0 {
			job = other
		}
	}
	epoch, owned := c.lastEpoch(job)
	r := request{job: job, owner: c.name, epoch: epoch, now: c.seconds}
	switch {
	case c.dice.IntN(8) == 0:
		c.expire(ctx)
		return
	case !owned && c.dice.IntN(3) > 0:
		r.verb, r.length = linearClaim, leaseSeconds
		r.claimID = fmt.Sprintf("%s/%d", c.name, c.dice.IntN(3))
	default:
		r.verb = []linearVerb{linearRenew, linearRenew, linearRenew, linearFail, linearFail, linearRelease, linearRelease}[c.dice.IntN(7)]
		if c.dice.IntN(20) == 0 { // that is the end of the job
			r.verb = linearFinish
		}
	}
	if c.dice.IntN(8) == 0 { // somebody pulls the plug
		cut, end := context.WithTimeout(ctx, time.Duration(c.dice.IntN(2000))*time.Microsecond)
		defer end()
		ctx = cut
	}
	c.ask(ctx, r)
}

// lastEpoch is the newest epoch that the agent was told to have; owned says that it was told of no end since.
func (c *client) lastEpoch(job int) (epoch int64, owned bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, operation := range slices.Backward(c.history) {
		r, a := operation.Input.(request), operation.Output.(answer)
		if r.job != job || r.owner != c.name || a.unknown || a.epoch == 0 {
			continue
		}
		return a.epoch, a.owner == c.name && a.state == jobmanager.Progressing
	}
	return 1, false
}

// ask sends a request and notes it with its answer.
func (c *client) ask(ctx context.Context, r request) {
	call := c.tick.Add(1)
	job, err := c.send(ctx, r)
	a := heardBack(r, job, err)
	if a.unknown && ctx.Err() == nil {
		c.t.Errorf("%+v was not cut off and is answered %v", r, err)
	}
	c.note(r, call, a)
}

func (c *client) note(r request, call int64, a answer) {
	if a.code == jobmanager.CodeConflict {
		return // others kept changing the job: it says that nothing was done, and of nobody who holds it
	}
	back := c.tick.Add(1)
	if a.unknown {
		back = 1 << 62
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.history = append(c.history, porcupine.Operation{ClientId: c.id, Input: r, Call: call, Output: a, Return: back})
}

// heardBack is the answer as the specification has it.
func heardBack(r request, job *jobmanager.Job, err error) answer {
	refusal, ours := errors.AsType[*jobmanager.Error](err)
	switch {
	case err == nil && r.verb == linearRenew:
		return answer{owner: r.owner, epoch: r.epoch, state: jobmanager.Progressing}
	case err == nil:
		return answer{owner: job.Owner, epoch: job.Epoch, state: job.State}
	case !ours || refusal.Code == jobmanager.CodeUnavailable || refusal.Code == jobmanager.CodeInternal:
		return answer{unknown: true}
	}
	return answer{code: refusal.Code, owner: refusal.Owner, epoch: refusal.Epoch}
}

// send calls the service.
func (c *client) send(ctx context.Context, r request) (*jobmanager.Job, error) {
	id := c.jobs[r.job]
	switch r.verb {
	case linearClaim:
		seconds := int(r.length)
		payload, err := c.ClaimJob(ctx, fleet(), service.ClaimJobInput{
			JobID: id, Orchestrator: "ocm", OwnerID: r.owner, Clusters: []string{"o-1"}, LeaseSeconds: &seconds, ClaimID: jobmanager.Text(r.claimID),
		}, jobmanager.JobLoad{})
		if err != nil {
			return nil, err
		}
		return payload.Job, nil
	case linearRenew:
		payload, err := c.RenewLeases(ctx, fleet(), service.RenewLeasesInput{
			OwnerID: r.owner, Leases: []service.LeaseInput{{JobID: id, Epoch: r.epoch}},
		})
		if err == nil && payload.Results[0].Lease == nil {
			err = jobmanager.Errorf(jobmanager.Code(payload.Results[0].Code), "%s", payload.Results[0].Message)
		}
		return nil, err
	case linearFinish:
		payload, err := c.FinishJob(ctx, fleet(), service.FinishJobInput{JobID: id, OwnerID: r.owner, Epoch: r.epoch})
		return payload.Job, err
	case linearFail:
		payload, err := c.FailJob(ctx, fleet(), service.FailJobInput{JobID: id, OwnerID: r.owner, Epoch: r.epoch, Reason: "no disk"})
		return payload.Job, err
	case linearRelease:
		payload, err := c.ReleaseJob(ctx, fleet(), service.ReleaseJobInput{JobID: id, OwnerID: r.owner, Epoch: r.epoch})
		return payload.Job, err
	default:
		return c.Job(ctx, admin(), id, jobmanager.JobLoad{})
	}
}

// expire writes down the leases that ran out, as any replica does. What it did is noted job by job; a job that was in
// other hands is passed over, which says nothing.
func (c *client) expire(ctx context.Context) {
	call := c.tick.Add(1)
	which := jobmanager.Which{LeaseOver: true, Limit: crowdedJobs, Scope: everything(), Actor: "job-manager"}
	jobs, err := c.store.UpdateJobs(ctx, which, func(j *jobmanager.Job, now time.Time) ([]jobmanager.Event, error) {
		return j.Expire(c.life, now), nil
	})
	if err != nil && jobmanager.CodeOf(err) != jobmanager.CodeConflict {
		c.t.Errorf("expire: %v", err)
	}
	for _, job := range jobs {
		r := request{job: slices.Index(c.jobs, job.ID), verb: linearExpire, now: c.seconds}
		c.note(r, call, answer{owner: job.Owner, epoch: job.Epoch, state: job.State})
	}
}
