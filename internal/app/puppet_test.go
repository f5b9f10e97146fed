package app_test

import (
	"context"
	"errors"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/icos-jobmanager/jobmanager/agent"
	"github.com/icos-jobmanager/jobmanager/agent/simulated"
)

// puppet is a driver that works on a simulated orchestrator and that the test holds: it notes each call, and
// calls back before it does the work.
type puppet struct {
	world *simulated.Driver
	// before is called with each piece of work; its error is the work's. Nil does nothing.
	before func(ctx context.Context, job agent.Job) error

	mu     sync.Mutex // guards the fields below
	calls  []agent.Job
	report func(agent.Status) error
}

var _ agent.Driver = (*puppet)(nil)

func (p *puppet) Apply(ctx context.Context, job agent.Job) (agent.Result, error) {
	return p.do(ctx, job, p.world.Apply)
}

func (p *puppet) Update(ctx context.Context, job agent.Job) (agent.Result, error) {
	return p.do(ctx, job, p.world.Update)
}

func (p *puppet) Replace(ctx context.Context, job agent.Job) (agent.Result, error) {
	return p.do(ctx, job, p.world.Replace)
}

func (p *puppet) Delete(ctx context.Context, job agent.Job) error {
	_, err := p.do(ctx, job, func(ctx context.Context, job agent.Job) (agent.Result, error) {
		return agent.Result{}, p.world.Delete(ctx, job)
	})
	return err
}

// Watch keeps the way to report statuses for the test, and sends none itself.
func (p *puppet) Watch(ctx context.Context, report func(agent.Status) error) error {
	p.mu.Lock()
	p.report = report
	p.mu.Unlock()
	<-ctx.Done()
	return nil
}

func (p *puppet) do(ctx context.Context, job agent.Job, carryOut func(context.Context, agent.Job) (agent.Result, error)) (agent.Result, error) {
	p.mu.Lock()
	p.calls = append(p.calls, job)
	p.mu.Unlock()
	if p.before != nil {
		if err := p.before(ctx, job); err != nil {
			return agent.Result{}, err
		}
	}
	return carryOut(ctx, job)
}

// called lists the work that the driver was called for, as "CREATE front", in the order of the calls.
func (p *puppet) called() []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	all := []string{}
	for _, job := range p.calls {
		verb, _, _ := strings.Cut(string(job.Type), "_")
		if job.SubType != "" {
			verb = job.SubType
		}
		all = append(all, verb+" "+job.Component)
	}
	return all
}

// tell reports a status as the driver's stream would.
func (p *puppet) tell(s agent.Status) error {
	p.mu.Lock()
	report := p.report
	p.mu.Unlock()
	return report(s)
}

// stall is a hook that holds work until the test lets it go: began gets each job that comes, and each of them goes
// on with the next error sent to goOn, or when the test is over.
type stall struct {
	began chan agent.Job
	goOn  chan error
	over  <-chan struct{}
}

func newStall(t *testing.T) *stall {
	t.Helper()
	return &stall{began: make(chan agent.Job, 16), goOn: make(chan error), over: t.Context().Done()}
}

// hold lets a context that ends end the work with its cause.
func (s *stall) hold(ctx context.Context, job agent.Job) error {
	s.began <- job
	select {
	case err := <-s.goOn:
		return err
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// holdDespite is hold by a driver that does not look at its context.
func (s *stall) holdDespite(_ context.Context, job agent.Job) error {
	s.began <- job
	select {
	case err := <-s.goOn:
		return err
	case <-s.over:
		return errors.New("the test is over")
	}
}

// agentConfig is an agent of ocm for the tests, with short backoffs.
func agentConfig(url, owner string, driver agent.Driver) agent.Config {
	return agent.Config{
		URL: url, Orchestrator: "ocm", OwnerID: owner, Parallel: 4, Driver: driver,
		Lease: time.Minute, MinBackoff: 5 * time.Millisecond, MaxBackoff: 50 * time.Millisecond,
	}
}

// patient gives an agent the longest lease, so that none runs out while a test moves its clock for something else.
func patient(c agent.Config) agent.Config {
	c.Lease = 15 * time.Minute
	return c
}

// runAgent runs an agent until the test ends; end ends it before, and returns when it has ended.
func runAgent(t *testing.T, c agent.Config) (end func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.WithoutCancel(t.Context()))
	ended := make(chan error, 1)
	go func() { ended <- agent.Run(ctx, c) }()
	var once sync.Once
	end = func() {
		once.Do(func() {
			cancel()
			if err := <-ended; err != nil {
				t.Errorf("agent %s ended with %v", c.OwnerID, err)
			}
		})
	}
	t.Cleanup(end)
	return end
}

// cable is an agent's way to the server. Once it is cut nothing goes through, in either direction.
type cable struct {
	mu    sync.Mutex // guards the fields below
	cut   bool
	conns []net.Conn
}

// client is an HTTP client over the cable; the SDK's websocket goes the same way.
func (c *cable) client(t *testing.T) *http.Client {
	t.Helper()
	transport := &http.Transport{DialContext: c.dial}
	t.Cleanup(transport.CloseIdleConnections)
	return &http.Client{Transport: transport}
}

func (c *cable) dial(ctx context.Context, network, address string) (net.Conn, error) {
	conn, err := (&net.Dialer{}).DialContext(ctx, network, address)
	if err != nil {
		return nil, err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.cut {
		return nil, errors.Join(errors.New("the cable is cut"), conn.Close())
	}
	c.conns = append(c.conns, conn)
	return conn, nil
}

// sever cuts the cable, mend makes it whole again.
func (c *cable) sever() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.cut = true
	for _, conn := range c.conns {
		_ = conn.Close() // whoever uses it notices
	}
	c.conns = nil
}

func (c *cable) mend() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.cut = false
}
