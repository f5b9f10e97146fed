package agent_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/icos-jobmanager/jobmanager/agent"
)

func TestLeasesOfAllWorkAreRenewedInOneCallAtAThird(t *testing.T) {
	bubble(t, func(t *testing.T) {
		ended := make(chan error, 3)
		r := start(t, newFake(t), &driver{apply: hold(ended)}, func(c *agent.Config) { c.Parallel = 3 })
		for i := range 3 {
			r.offer(fmt.Sprint("j", i))
		}
		first, fourth := r.await("renewLeases", 1), r.await("renewLeases", 4)
		if leases := fourth.input["leases"].([]any); len(leases) != 3 {
			t.Errorf("renewed %v", leases)
		}
		if between := fourth.at.Sub(first.at); between != time.Minute {
			t.Errorf("three renewals took %s", between)
		}
		if len(ended) != 0 {
			t.Errorf("work ended: %v", <-ended)
		}
	})
}

func TestAStaleEpochStopsTheWorkAndThrowsItsOutcomeAway(t *testing.T) {
	for _, refusal := range []string{"STALE_OWNER", "NOT_FOUND", "WRONG_STATE"} {
		t.Run(refusal, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				f := newFake(t)
				f.on("renewLeases", func(c call) (any, error) { return f.renewals(c, refusal), nil })
				ended, returned := make(chan error, 1), make(chan struct{})
				r := start(t, f, &driver{apply: func(ctx context.Context, _ agent.Job) (agent.Result, error) {
					defer close(returned)
					<-ctx.Done()
					ended <- context.Cause(ctx)
					return agent.Result{UID: "u1"}, nil // done all the same
				}}, nil)
				r.offer("j1")
				if err := <-ended; !errors.Is(err, agent.ErrStale) {
					t.Errorf("ended with %v", err)
				}
				<-returned
				synctest.Wait()
				for _, op := range []string{"finishJob", "failJob", "releaseJob"} {
					if calls := f.of(op); len(calls) != 0 {
						t.Errorf("%s was called", op)
					}
				}
			})
		})
	}
}

func TestANewerOfferStopsTheWorkBeforeTheRenewalAndIsTakenNext(t *testing.T) {
	bubble(t, func(t *testing.T) {
		f := newFake(t)
		ended := make(chan error, 1)
		d := &driver{apply: hold(ended)}
		r := start(t, f, d, nil)
		r.offer("j1")
		r.await("claimJob", 1)
		synctest.Wait()
		began := time.Now()
		f.mu.Lock()
		f.epoch["j1"]++ // a user stopped it
		f.job["j1"] = map[string]any{"type": "DELETE_DEPLOYMENT", "generation": 2}
		f.mu.Unlock()
		r.offer("j1")
		if err := <-ended; !errors.Is(err, agent.ErrStale) || time.Since(began) != 0 {
			t.Errorf("ended after %s with %v", time.Since(began), err)
		}
		if finish := r.await("finishJob", 1); finish.epoch() != 3 {
			t.Errorf("finished with %v", finish.input)
		}
		if jobs := d.jobs(); len(jobs) != 2 || jobs[1].Type != agent.DeleteDeployment {
			t.Errorf("driven %v", jobs)
		}
	})
}

// A zombie: the server is out of reach, so somebody else may have the job.
func TestWorkEndsWhenItsLeaseRunsOutUnrenewed(t *testing.T) {
	for name, loss := range map[string]func(*running){
		"the server is away": func(r *running) { r.goAway(true) },
		"the server hangs":   func(r *running) { r.on("renewLeases", errAlways(errHang)) },
		"the server says expired": func(r *running) {
			r.on("renewLeases", func(c call) (any, error) { return r.renewals(c, "LEASE_EXPIRED"), nil })
		},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				ended := make(chan error, 1)
				r := start(t, newFake(t), &driver{apply: hold(ended)}, nil)
				r.offer("j1")
				claimed := r.await("claimJob", 1).at
				loss(r)
				if err := <-ended; !errors.Is(err, agent.ErrLeaseLost) || time.Since(claimed) > time.Minute {
					t.Errorf("ended after %s with %v", time.Since(claimed), err)
				}
				r.goAway(false)
				r.friendly("renewLeases")
				<-time.After(time.Minute)
				if len(r.of("failJob"))+len(r.of("releaseJob"))+len(r.of("finishJob")) != 0 {
					t.Error("something was reported")
				}
				r.offer("j2") // and the slot is free
				r.await("claimJob", 2)
			})
		})
	}
}

func TestAShortOutageDoesNotStopTheWork(t *testing.T) {
	bubble(t, func(t *testing.T) {
		done := make(chan struct{})
		r := start(t, newFake(t), &driver{apply: func(ctx context.Context, _ agent.Job) (agent.Result, error) {
			select {
			case <-done:
				return agent.Result{}, nil
			case <-ctx.Done():
				return agent.Result{}, ctx.Err()
			}
		}}, nil)
		r.offer("j1")
		r.await("renewLeases", 1)
		r.goAway(true)
		<-time.After(25 * time.Second) // one renewal fails
		r.goAway(false)
		<-time.After(2 * time.Minute)
		close(done)
		r.await("finishJob", 1)
	})
}

func TestDoneWorkIsReportedAfterAnOutageLongerThanItsLease(t *testing.T) {
	bubble(t, func(t *testing.T) {
		r := start(t, newFake(t), &driver{apply: func(ctx context.Context, _ agent.Job) (agent.Result, error) {
			<-ctx.Done() // the lease ran out while the last step was on its way
			return agent.Result{UID: "u1"}, nil
		}}, nil)
		r.offer("j1")
		r.await("claimJob", 1)
		r.goAway(true)
		<-time.After(5 * time.Minute)
		r.goAway(false)
		if finish := r.await("finishJob", 1); finish.epoch() != 1 {
			t.Errorf("finished with %v", finish.input)
		}
	})
}

func TestAStaleAnswerEndsTheReport(t *testing.T) {
	bubble(t, func(t *testing.T) {
		f := newFake(t)
		f.on("finishJob", code("STALE_OWNER"))
		r := start(t, f, &driver{}, nil)
		r.offer("j1")
		r.await("finishJob", 1)
		<-time.After(10 * time.Minute)
		if calls := f.of("finishJob"); len(calls) != 1 {
			t.Errorf("reported %d times", len(calls))
		}
	})
}

func TestAReportIsRepeatedUntilARenewalSaysThatItIsStale(t *testing.T) {
	bubble(t, func(t *testing.T) {
		f := newFake(t)
		f.on("finishJob", errAlways(errDrop))
		r := start(t, f, &driver{}, nil)
		r.offer("j1")
		r.await("finishJob", 3)
		f.on("renewLeases", func(c call) (any, error) { return f.renewals(c, "STALE_OWNER"), nil })
		renewals := len(f.of("renewLeases"))
		r.await("renewLeases", renewals+1)
		synctest.Wait()
		reports := len(f.of("finishJob"))
		<-time.After(10 * time.Minute)
		if after := len(f.of("finishJob")); after != reports {
			t.Errorf("%d reports after the stale answer", after-reports)
		}
	})
}

func TestAReportThatTheServerCannotReadFailsTheJobWithTheReason(t *testing.T) {
	bubble(t, func(t *testing.T) {
		f := newFake(t)
		f.on("finishJob", code("INVALID"))
		r := start(t, f, &driver{}, nil)
		r.offer("j1")
		if reason := fmt.Sprint(r.await("failJob", 1).input["reason"]); reason == "" {
			t.Error("no reason")
		}
	})
}

func TestOneGenerationIsDrivenOnce(t *testing.T) {
	for name, test := range map[string]struct {
		jobType       string
		between       int64 // claims by others in between
		again, driven int
	}{
		"a create that was not reported is reported again":             {"CREATE_DEPLOYMENT", 0, 2, 1},
		"a create that another agent held in between is applied again": {"CREATE_DEPLOYMENT", 1, 2, 2},
		"an update is not repeated, whatever happened in between":      {"UPDATE_DEPLOYMENT", 3, 2, 1},
		"a delete that was not reported is reported again":             {"DELETE_DEPLOYMENT", 0, 2, 1},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				f := newFake(t)
				f.job["j1"] = map[string]any{"type": test.jobType, "subType": "scale-up", "generation": 4}
				f.on("finishJob", errAlways(errDrop))
				result := agent.Result{UID: "u1", Name: "web-1"}
				d := &driver{
					apply:  func(context.Context, agent.Job) (agent.Result, error) { return result, nil },
					update: func(context.Context, agent.Job) (agent.Result, error) { return result, nil },
				}
				r := start(t, f, d, nil)
				r.offer("j1")
				r.await("finishJob", 1)
				<-time.After(16 * time.Minute) // the report is given up
				synctest.Wait()
				f.friendly("finishJob")
				tried := len(f.of("finishJob"))
				f.mu.Lock()
				f.epoch["j1"] += test.between
				f.mu.Unlock()
				r.offer("j1")
				finish := r.await("finishJob", tried+1)
				if finish.epoch() != float64(2+test.between) {
					t.Errorf("reported with %v", finish.input)
				}
				if resource := fmt.Sprint(finish.input["resource"]); test.jobType != "DELETE_DEPLOYMENT" && resource != "map[name:web-1 uid:u1]" {
					t.Errorf("reported %s", resource)
				}
				if driven := len(d.jobs()); driven != test.driven {
					t.Errorf("driven %d times", driven)
				}
			})
		})
	}
}

func TestAFailedGenerationIsDrivenAgainAndANewOneToo(t *testing.T) {
	bubble(t, func(t *testing.T) {
		f := newFake(t)
		tries := 0
		d := &driver{apply: func(context.Context, agent.Job) (agent.Result, error) {
			if tries++; tries == 1 {
				return agent.Result{}, errors.New("no room")
			}
			return agent.Result{}, nil
		}}
		r := start(t, f, d, nil)
		r.offer("j1")
		r.await("failJob", 1)
		r.offer("j1")
		r.await("finishJob", 1)
		f.mu.Lock()
		f.job["j1"] = map[string]any{"generation": 2, "type": "REPLACE_DEPLOYMENT"}
		f.mu.Unlock()
		r.offer("j1")
		r.await("finishJob", 2)
		if driven := len(d.jobs()); driven != 3 {
			t.Errorf("driven %d times", driven)
		}
	})
}

// The batch claim may give a job back whose former, lost work the driver has not let go of.
func TestNeverTwoCallsForOneJobAtOnce(t *testing.T) {
	bubble(t, func(t *testing.T) {
		f := newFake(t)
		let := make(chan struct{})
		var mu sync.Mutex
		busy, most, calls := 0, 0, 0
		d := &driver{apply: func(context.Context, agent.Job) (agent.Result, error) {
			mu.Lock()
			busy++
			calls++
			most = max(most, busy)
			stubborn := calls == 1
			mu.Unlock()
			if stubborn {
				<-let // does not look at its context
			}
			mu.Lock()
			busy--
			mu.Unlock()
			return agent.Result{}, errors.New("not done")
		}}
		f.on("claimJob", func(c call) (any, error) {
			if c.jobID() == "lost" {
				return nil, errDrop // so that the agent asks for whatever there is
			}
			return f.standard(c)
		})
		given := false
		f.on("claimJobs", func(call) (any, error) {
			jobs := []any{}
			if !given {
				given = true
				jobs = append(jobs, f.claim("j1"))
			}
			return map[string]any{"jobs": jobs}, nil
		})
		r := start(t, f, d, func(c *agent.Config) { c.Parallel = 2 })
		r.offer("j1")
		r.await("claimJob", 1)
		r.offer("lost")
		r.await("claimJobs", 1)
		<-time.After(time.Minute)
		close(let)
		if failed := r.await("failJob", 1); failed.epoch() != 2 {
			t.Errorf("failed with %v", failed.input)
		}
		mu.Lock()
		defer mu.Unlock()
		if most != 1 || calls != 2 {
			t.Errorf("%d calls, %d at once", calls, most)
		}
	})
}

// The first report came through and only its answer was lost: there is no lease any more, and nothing is stale.
func TestALostAnswerToAReportIsAskedForAgain(t *testing.T) {
	bubble(t, func(t *testing.T) {
		f := newFake(t)
		f.on("finishJob", errAlways(errDrop))
		f.on("renewLeases", func(c call) (any, error) { return f.renewals(c, "WRONG_STATE"), nil })
		r := start(t, f, &driver{}, nil)
		r.offer("j1")
		r.await("renewLeases", 1)
		synctest.Wait()
		reports := len(f.of("finishJob"))
		f.friendly("finishJob")
		r.await("finishJob", reports+1)
	})
}
