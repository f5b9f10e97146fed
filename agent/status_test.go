package agent_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/icos-jobmanager/jobmanager/agent"
)

// streaming is a driver whose status stream belongs to the test.
func streaming() (*driver, <-chan func(agent.Status) error) {
	stream := make(chan func(agent.Status) error, 1)
	return &driver{watch: func(ctx context.Context, report func(agent.Status) error) error {
		stream <- report
		<-ctx.Done()
		return nil
	}}, stream
}

func TestAStatusCarriesTheEpochOfTheLastClaim(t *testing.T) {
	bubble(t, func(t *testing.T) {
		f := newFake(t)
		d, stream := streaming()
		r := start(t, f, d, nil)
		report := <-stream
		if err := report(agent.Status{JobID: "j1"}); !errors.Is(err, agent.ErrUnclaimed) {
			t.Errorf("before the claim: %v", err)
		}
		r.offer("j1")
		r.await("finishJob", 1)
		status := agent.Status{JobID: "j1", UID: "u1", Conditions: []agent.Condition{
			{Type: "Available", Status: agent.ConditionFalse, Message: "gone", ObservedGeneration: 3},
		}}
		if err := report(status); err != nil {
			t.Error(err)
		}
		told := r.await("reportResource", 1)
		want := "map[conditions:[map[message:gone observedGeneration:3 reason: status:FALSE type:Available]] uid:u1]"
		if told.epoch() != 1 || told.input["ownerId"] != "agent-1" || fmt.Sprint(told.input["resource"]) != want {
			t.Errorf("told %v", told.input)
		}
	})
}

func TestAStaleStatusIsToldToTheDriverAndNotTriedAgainUntilTheNextClaim(t *testing.T) {
	bubble(t, func(t *testing.T) {
		f := newFake(t)
		f.on("reportResource", code("STALE_OWNER"))
		d, stream := streaming()
		r := start(t, f, d, nil)
		report := <-stream
		r.offer("j1")
		r.await("finishJob", 1)
		for range 3 {
			if err := report(agent.Status{JobID: "j1"}); !errors.Is(err, agent.ErrStale) {
				t.Errorf("told %v", err)
			}
		}
		if asked := len(f.of("reportResource")); asked != 1 {
			t.Errorf("asked %d times", asked)
		}
		f.friendly("reportResource")
		f.mu.Lock()
		f.job["j1"] = map[string]any{"generation": 2}
		f.mu.Unlock()
		r.offer("j1")
		r.await("finishJob", 2)
		if err := report(agent.Status{JobID: "j1"}); err != nil {
			t.Errorf("after the next claim: %v", err)
		}
		if told := r.await("reportResource", 2); told.epoch() != 2 {
			t.Errorf("told %v", told.input)
		}
	})
}

func TestStaleWorkSilencesItsStatuses(t *testing.T) {
	bubble(t, func(t *testing.T) {
		f := newFake(t)
		f.on("renewLeases", func(c call) (any, error) { return f.renewals(c, "STALE_OWNER"), nil })
		d, stream := streaming()
		ended := make(chan error, 1)
		d.apply = hold(ended)
		r := start(t, f, d, nil)
		report := <-stream
		r.offer("j1")
		r.await("claimJob", 1)
		synctest.Wait()
		if err := report(agent.Status{JobID: "j1"}); err != nil {
			t.Errorf("while the work lives: %v", err)
		}
		if err := <-ended; !errors.Is(err, agent.ErrStale) {
			t.Errorf("ended with %v", err)
		}
		if err := report(agent.Status{JobID: "j1"}); !errors.Is(err, agent.ErrStale) {
			t.Errorf("told %v", err)
		}
	})
}

func TestAStatusWaitsForTheServer(t *testing.T) {
	bubble(t, func(t *testing.T) {
		f := newFake(t)
		d, stream := streaming()
		r := start(t, f, d, nil)
		report := <-stream
		r.offer("j1")
		r.await("finishJob", 1)
		r.goAway(true)
		result := make(chan error)
		go func() { result <- report(agent.Status{JobID: "j1"}) }()
		<-time.After(10 * time.Minute)
		r.goAway(false)
		if err := <-result; err != nil || len(f.of("reportResource")) != 1 {
			t.Errorf("told %v with %d calls", err, len(f.of("reportResource")))
		}
		r.goAway(true)
		go func() { result <- report(agent.Status{JobID: "j1"}) }()
		<-time.After(time.Minute)
		r.stop()
		if err := <-result; !errors.Is(err, context.Canceled) {
			t.Errorf("at the end: %v", err)
		}
	})
}

func TestARefusedStatusIsTheDriversOwn(t *testing.T) {
	bubble(t, func(t *testing.T) {
		f := newFake(t)
		f.on("reportResource", code("INVALID"))
		d, stream := streaming()
		r := start(t, f, d, nil)
		report := <-stream
		r.offer("j1")
		r.await("finishJob", 1)
		err := report(agent.Status{JobID: "j1"})
		if refusal, ok := errors.AsType[*agent.Error](err); !ok || refusal.Code != "INVALID" {
			t.Errorf("told %v", err)
		}
	})
}

func TestABrokenStreamIsStartedAgain(t *testing.T) {
	bubble(t, func(t *testing.T) {
		starts := make(chan int, 3)
		n := 0
		var none []int
		d := &driver{watch: func(context.Context, func(agent.Status) error) error {
			n++
			starts <- n
			switch n {
			case 1:
				return errors.New("lost the cluster")
			case 2:
				none[n]++ // panics
			}
			return nil
		}}
		start(t, newFake(t), d, nil)
		for want := range 3 {
			if got := <-starts; got != want+1 {
				t.Errorf("start %d", got)
			}
		}
	})
}
