package oldclient

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"time"
)

// Hub stands in for the OCM agent 1.4.1 with the sidecar that drives it: one tick lists, works and reports, then tells
// the status of every work of every cluster. It is as careless as the real one: it executes whatever promote was
// answered, reports nothing that failed, and looks at no status. Set the fields, then call Tick as often as the
// sidecar would (every 15 s). One hub is one goroutine.
type Hub struct {
	// Base is the agent's JOBMANAGER_URL, which ends with a slash.
	Base string
	// OwnerID is the uid of the hub's ClusterManager.
	OwnerID string
	// Token of the sidecar; empty where it could get none, and the calls are made all the same.
	Token string
	// HTTP carries the calls; nil means the default.
	HTTP *http.Client
	// Fleet is what the hub manages.
	Fleet *Fleet
	// Script plans the execution of a job; it is called after its promote and before anything is done. nil: all goes
	// well.
	Script func(OCMJob) Plan
	// Elapse is called for the time that the agent spends waiting, instead of waiting. nil: none passes.
	Elapse func(time.Duration)
	// Intercept answers a call in the server's place with the status that it gives, as a proxy would; 0 lets it pass.
	Intercept func(*http.Request) int
	// EmptiesDeleted makes a report of a removal name no resource and add an empty condition of type Applied. The
	// released 1.4.1 holds code for that and never runs it.
	EmptiesDeleted bool
}

// OCMOutcome is how the execution of a job goes.
type OCMOutcome int

// The outcomes.
const (
	// Works: it is done, and reported.
	Works OCMOutcome = iota
	// TimesOut: a created work stands, without conditions within 5 s; nothing is reported. Other work is done.
	TimesOut
	// Fails: nothing is done and nothing is reported.
	Fails
)

// OCMReport is what becomes of the report of a job that was done.
type OCMReport int

// What becomes of a report.
const (
	// Arrives: the server gets it.
	Arrives OCMReport = iota
	// LostBefore: it never reaches the server.
	LostBefore
	// LostAfter: the server gets it, its answer is lost.
	LostAfter
)

// Plan is how the execution of one job goes; the zero value is that all goes well.
type Plan struct {
	Outcome OCMOutcome
	// Last is the type of the last condition of a created work; empty means Available.
	Last   string
	Report OCMReport
	// BeforeReport is called when the work is done and not reported yet.
	BeforeReport func()
}

// Call is one request of a hub and what it was answered.
type Call struct {
	Method string
	// URI is path and query.
	URI    string
	Sent   http.Header
	Body   []byte
	Status int
	Header http.Header
	Answer []byte
	// Err is that of the connection: no answer came.
	Err error
}

// Tick is what one tick listed, and each of its calls in order.
type Tick struct {
	Listed []OCMJob
	Calls  []Call
}

// Of lists the calls with a method whose path begins as given.
func (t Tick) Of(method, path string) []Call {
	var some []Call
	for _, call := range t.Calls {
		if call.Method == method && len(call.URI) >= len(path) && call.URI[:len(path)] == path {
			some = append(some, call)
		}
	}
	return some
}

// The paths of the hub's calls.
const (
	OCMListPath    = "/jobmanager/jobs/executable/ocm/"
	OCMPromotePath = "/jobmanager/jobs/promote/"
	OCMReportPath  = "/jobmanager/jobs?"
	OCMStatusPath  = "/jobmanager/resources/status"
)

// Tick executes, then tells the status of all works, as the sidecar orders it. An error is what the real agent's tick
// breaks at: an answer that is no list, a server that cannot be reached, or an AgentPanicError.
func (h *Hub) Tick(ctx context.Context) (Tick, error) {
	executed, executeErr := h.Execute(ctx)
	synced, syncErr := h.Sync(ctx)
	executed.Calls = append(executed.Calls, synced.Calls...)
	return executed, errors.Join(executeErr, syncErr)
}

// Execute is the first half of a tick: it lists and works the list one by one.
func (h *Hub) Execute(ctx context.Context) (Tick, error) {
	var t Tick
	list := h.call(ctx, &t, Call{Method: http.MethodGet, URI: OCMListPath + h.OwnerID})
	if list.Err != nil {
		return t, list.Err
	}
	if err := json.Unmarshal(list.Answer, &t.Listed); err != nil {
		return t, fmt.Errorf("the list was answered %d %s: %w", list.Status, list.Answer, err)
	}
	for _, job := range t.Listed {
		if job.Resource != nil { // what was listed stays as it was for whoever looks at the tick
			resource := *job.Resource
			job.Resource = &resource
		}
		if err := h.work(ctx, &t, job); err != nil {
			return t, err
		}
	}
	return t, nil
}

// work promotes, executes and reports one job. An error ends the tick.
func (h *Hub) work(ctx context.Context, t *Tick, job OCMJob) error {
	if job.Target.NodeName == "" {
		return nil
	}
	job.OwnerID = h.OwnerID
	body, err := json.Marshal(map[string]string{"owner_id": h.OwnerID})
	if err != nil {
		return fmt.Errorf("write the promotion: %w", err)
	}
	promote := Call{Method: http.MethodPatch, URI: OCMPromotePath + job.ID, Body: body, Sent: http.Header{"Content-Type": {"application/json"}}}
	if h.call(ctx, t, promote).Err != nil {
		return nil //nolint:nilerr // it is logged there, and the next job is worked
	}
	var plan Plan
	if h.Script != nil {
		plan = h.Script(job)
	}
	if err := h.execute(&job, plan); err != nil {
		var stumble *AgentPanicError
		if errors.As(err, &stumble) {
			return err
		}
		return nil // it is logged there, and the next job is worked
	}
	return h.report(ctx, t, job, plan)
}

// report sends the whole job back, with what changed.
func (h *Hub) report(ctx context.Context, t *Tick, job OCMJob, plan Plan) error {
	if plan.BeforeReport != nil {
		plan.BeforeReport()
	}
	if plan.Report == LostBefore {
		return nil
	}
	body, err := json.Marshal(job)
	if err != nil {
		return fmt.Errorf("write the report: %w", err)
	}
	query := url.Values{"id": {job.ID}, "orchestrator": {"ocm"}}
	h.call(ctx, t, Call{Method: http.MethodPut, URI: OCMReportPath + query.Encode(), Body: body})
	if plan.Report == LostAfter {
		last := &t.Calls[len(t.Calls)-1]
		*last = Call{Method: last.Method, URI: last.URI, Sent: last.Sent, Body: last.Body, Err: errors.New("the answer is lost, as scripted")}
	}
	return nil
}

// Sync is the second half of a tick: the status of every work of every cluster. A server that cannot be reached
// breaks it, as it does there.
func (h *Hub) Sync(ctx context.Context) (Tick, error) {
	var t Tick
	for _, work := range h.Fleet.Works() {
		body, err := json.Marshal(OCMResource{ResourceUUID: work.UID, ResourceName: work.Name, Conditions: work.Conditions})
		if err != nil {
			return t, fmt.Errorf("write the status: %w", err)
		}
		if told := h.call(ctx, &t, Call{Method: http.MethodPut, URI: OCMStatusPath, Body: body}); told.Err != nil {
			return t, &AgentPanicError{"there is no answer to a status: " + told.Err.Error()}
		}
	}
	return t, nil
}

// Call makes one call with the hub's token, as any client would, and gives it with how it was answered.
func (h *Hub) Call(ctx context.Context, c Call) (Call, error) {
	var t Tick
	made := h.call(ctx, &t, c)
	return made, made.Err
}

// call makes a call, fills in how it went, and keeps it in the tick.
func (h *Hub) call(ctx context.Context, t *Tick, c Call) Call {
	if c.Sent == nil {
		c.Sent = http.Header{}
	}
	c.Sent.Set("Authorization", "Bearer "+h.Token)
	c.Err = h.send(ctx, &c)
	t.Calls = append(t.Calls, c)
	return c
}

func (h *Hub) send(ctx context.Context, c *Call) error {
	var body io.Reader = http.NoBody
	if c.Body != nil {
		body = bytes.NewReader(c.Body)
	}
	request, err := http.NewRequestWithContext(ctx, c.Method, h.Base+c.URI[1:], body)
	if err != nil {
		return fmt.Errorf("%s %s: %w", c.Method, c.URI, err)
	}
	request.Header = c.Sent.Clone()
	if h.Intercept != nil {
		if c.Status = h.Intercept(request); c.Status != 0 {
			return nil
		}
	}
	client := h.HTTP
	if client == nil {
		client = http.DefaultClient
	}
	response, err := client.Do(request)
	if err != nil {
		return fmt.Errorf("%s %s: %w", c.Method, c.URI, err)
	}
	defer func() { _ = response.Body.Close() }() // it was read to its end
	c.Status, c.Header = response.StatusCode, response.Header
	if c.Answer, err = io.ReadAll(response.Body); err != nil {
		return fmt.Errorf("%s %s: %w", c.Method, c.URI, err)
	}
	return nil
}

func (h *Hub) elapse(d time.Duration) {
	if h.Elapse != nil {
		h.Elapse(d)
	}
}
