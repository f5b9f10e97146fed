package app_test

import (
	"math/rand/v2"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/icos-jobmanager/jobmanager/internal/app/apptest"
)

// target is where the agents of the proof bring their workloads up; it outlives every server.
type target struct {
	t *testing.T

	mu     sync.Mutex          // guards the fields below
	stands map[string]standing // by job
	newest map[string]int64    // the highest epoch that touched the job's workload
}

// standing is the workload of one job.
type standing struct {
	manifests []string
	epoch     int64
}

// do carries a claimed job out; it is idempotent by the job's id.
func (g *target) do(h *holding) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if h.Epoch < g.newest[h.ID] {
		g.t.Errorf("job %s was touched at epoch %d after epoch %d", h.ID, h.Epoch, g.newest[h.ID])
	}
	g.newest[h.ID] = h.Epoch
	present, there := g.stands[h.ID]
	switch {
	case h.Type == "DELETE_DEPLOYMENT", h.SubType == "reallocation":
		delete(g.stands, h.ID)
	case h.Type != "UPDATE_DEPLOYMENT":
		g.stands[h.ID] = standing{h.texts(), h.Epoch}
	case !there:
		g.t.Errorf("job %s is to be updated (%s) and nothing stands", h.ID, h.SubType)
	default:
		g.stands[h.ID] = standing{present.manifests, h.Epoch}
	}
}

// clear removes whatever an earlier attempt left.
func (g *target) clear(job string) {
	g.mu.Lock()
	defer g.mu.Unlock()
	delete(g.stands, job)
}

// holding is a claimed job in the hands of an agent.
type holding struct {
	ID, Component, Type, SubType string
	Epoch, Generation            int64
	Lease                        struct{ ExpiresAt time.Time }
	Manifests                    []struct{ Text string }

	report *order // chosen, and sent until it is answered
}

func (h *holding) texts() []string {
	var texts []string
	for _, m := range h.Manifests {
		texts = append(texts, m.Text)
	}
	return texts
}

// worker is an agent: it claims in batches, renews, works, and reports, each call until it is answered. It goes
// on after a kill with what it has in hand.
type worker struct {
	storm  *storm
	owner  string
	chance *rand.Rand
	// forgetful lets it forget claims, where the storm allows it: their leases run out.
	forgetful bool
	claim     *order // of which no answer came yet
	held      []*holding
}

// The calls of an agent.
const (
	claimOrder   = `mutation($input: ClaimJobsInput!) { done: claimJobs(input: $input) { jobs { id component type subType epoch generation lease { expiresAt } manifests { text } } } }`
	renewOrder   = `mutation($input: RenewLeasesInput!) { done: renewLeases(input: $input) { results { jobId code message lease { expiresAt } } } }`
	finishOrder  = `mutation($input: FinishJobInput!) { done: finishJob(input: $input) { job { id } } }`
	failOrder    = `mutation($input: FailJobInput!) { done: failJob(input: $input) { job { id } } }`
	releaseOrder = `mutation($input: ReleaseJobInput!) { done: releaseJob(input: $input) { job { id } } }`
)

// act makes one call; answered is false when the server is gone.
func (w *worker) act(c *apptest.Client) (answered bool) {
	const most = 5
	if w.claim == nil && (len(w.held) == 0 || len(w.held) < most && w.chance.IntN(2) == 0) {
		w.claim = w.wish()
	}
	if w.claim != nil {
		_, answered := w.sendClaim(c)
		return answered
	}
	h := w.held[w.chance.IntN(len(w.held))]
	switch {
	case h.report != nil:
		return w.sendReport(c, h)
	case w.chance.IntN(3) == 0:
		return w.renew(c)
	}
	h.report = w.work(h)
	return w.sendReport(c, h)
}

func (w *worker) wish() *order {
	seconds := 900
	if w.forgetful && w.storm.forgets && w.chance.IntN(8) == 0 {
		seconds = 15
	}
	return &order{mutation: claimOrder, input: map[string]any{
		"orchestrator": "ocm", "ownerId": w.owner, "clusters": clusterNames(), "first": 1 + w.chance.IntN(3), "leaseSeconds": seconds, "claimId": uuid.NewString(),
	}}
}

type claimedJobs struct{ Jobs []*holding }

// sendClaim sends the open claim and gives what it won.
func (w *worker) sendClaim(c *apptest.Client) (won []*holding, answered bool) {
	done, code, answered := sendOrder[claimedJobs](w.storm.t, c, w.claim)
	switch {
	case !answered:
		return nil, false
	case tryAgain(code):
		return nil, true
	case code != "":
		w.storm.t.Errorf("%s may not claim: %s", w.owner, code)
	}
	forgotten := w.claim.input["leaseSeconds"] == 15
	w.claim = nil
	if len(done.Jobs) == 0 {
		await(2 * time.Millisecond)
	}
	w.storm.mu.Lock()
	defer w.storm.mu.Unlock()
	for _, h := range done.Jobs {
		w.storm.claims[ofEpoch{h.ID, h.Epoch}] = w.owner
		w.held = slices.DeleteFunc(w.held, func(former *holding) bool { return former.ID == h.ID }) // outdated
		if !forgotten {
			w.held = append(w.held, h)
		}
	}
	return done.Jobs, true
}

// work carries the job out, or not, and chooses what is told of it.
func (w *worker) work(h *holding) *order {
	o := &order{input: map[string]any{"jobId": h.ID, "ownerId": w.owner, "epoch": h.Epoch}}
	switch roll := w.chance.IntN(10); roll {
	case 0:
		if w.chance.IntN(2) == 0 {
			w.storm.target.do(h)
		}
		o.mutation, o.input["reason"] = failOrder, "it broke"
	case 1:
		if h.Type == "CREATE_DEPLOYMENT" { // it undertakes that nothing of it stands
			w.storm.target.clear(h.ID)
		}
		o.mutation = releaseOrder
	default:
		w.storm.target.do(h)
		o.mutation = finishOrder
		if roll%2 == 0 {
			o.input["resource"] = map[string]any{"uid": "uid-" + h.ID, "name": h.Component + "-x", "conditions": []any{
				map[string]any{"type": "Available", "status": "TRUE", "reason": "Ready", "observedGeneration": h.Generation},
			}}
		}
	}
	return o
}

// sendReport tells how the work went. STALE_OWNER says that a stop, an update or a remediation took the job.
func (w *worker) sendReport(c *apptest.Client, h *holding) (answered bool) {
	again := h.report.sent
	_, code, answered := sendOrder[struct{}](w.storm.t, c, h.report)
	switch {
	case !answered:
		return false
	case tryAgain(code):
		return true
	case code == "NOT_FOUND" && again: // the first try did it, and the job went with it
	case code == "" && h.report.mutation == finishOrder:
		w.storm.mu.Lock()
		w.storm.finished[ofEpoch{h.ID, h.Epoch}] = true
		w.storm.mu.Unlock()
	case code != "" && code != "STALE_OWNER":
		w.storm.t.Errorf("%s reported on %s at epoch %d (%.40s): %s", w.owner, h.ID, h.Epoch, h.report.mutation, code)
	}
	w.drop(h)
	return true
}

func (w *worker) drop(h *holding) {
	w.held = slices.DeleteFunc(w.held, func(other *holding) bool { return other == h })
}

// renew extends the leases of all that was not reported yet.
func (w *worker) renew(c *apptest.Client) (answered bool) {
	var leases []any
	byJob := map[string]*holding{}
	for _, h := range w.held {
		if h.report == nil {
			byJob[h.ID] = h
			leases = append(leases, map[string]any{"jobId": h.ID, "epoch": h.Epoch})
		}
	}
	done, code, answered := sendOrder[struct {
		Results []struct {
			JobID, Code, Message string
			Lease                *struct{ ExpiresAt time.Time }
		}
	}](w.storm.t, c, &order{mutation: renewOrder, input: map[string]any{"ownerId": w.owner, "leases": leases}})
	if !answered {
		return false
	}
	if code != "" && !tryAgain(code) {
		w.storm.t.Errorf("%s may not renew: %s", w.owner, code)
	}
	for _, result := range done.Results {
		h := byJob[result.JobID]
		switch {
		case result.Code == "STALE_OWNER":
			w.drop(h)
		case result.Lease == nil:
			w.storm.t.Errorf("the lease of %s at epoch %d was not renewed: %s %s", h.ID, h.Epoch, result.Code, result.Message)
		case result.Lease.ExpiresAt.Before(h.Lease.ExpiresAt):
			w.storm.t.Errorf("the lease of %s was renewed backwards", h.ID)
		default:
			h.Lease.ExpiresAt = result.Lease.ExpiresAt
		}
	}
	return true
}
