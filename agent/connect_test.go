package agent_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gorilla/websocket"

	"github.com/icos-jobmanager/jobmanager/agent"
)

func TestItConnectsAgainAfterEveryEndOfTheConnection(t *testing.T) {
	closing := func(code int) func(r *running) {
		return func(r *running) {
			r.mu.Lock()
			defer r.mu.Unlock()
			_ = r.socket.WriteMessage(websocket.CloseMessage, websocket.FormatCloseMessage(code, "x"))
		}
	}
	for name, end := range map[string]func(r *running){
		"hung up":        func(r *running) { r.hangUp() },
		"drained":        closing(1012),
		"overloaded":     closing(1013),
		"ended normally": closing(1000),
		"completed":      func(r *running) { r.push(frame{Type: "complete", ID: "1"}) },
		"nonsense":       func(r *running) { r.push(frame{Type: "what"}) },
		"an error": func(r *running) {
			r.push(frame{Type: "error", ID: "1", Payload: mustJSON([]any{map[string]any{"message": "slow"}})})
		},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				r := start(t, newFake(t), &driver{}, nil)
				r.offer("j1")
				r.await("finishJob", 1)
				end(r)
				synctest.Wait()
				<-time.After(2 * time.Second) // within the first backoff
				r.offer("j2")
				r.await("finishJob", 2)
			})
		})
	}
}

// mute lets the client wait for its acknowledgement until it hangs up.
func mute(conn *websocket.Conn) bool {
	_, _, _ = conn.ReadMessage()
	return false
}

func TestAServerThatFallsSilentIsNoticed(t *testing.T) {
	bubble(t, func(t *testing.T) {
		f := newFake(t)
		f.deaf = true
		r := start(t, f, &driver{}, nil)
		r.offer("j1")
		r.await("finishJob", 1)
		<-time.After(2 * time.Minute)
		r.offer("j2")
		r.await("finishJob", 2)
		if len(f.connects) != 2 {
			t.Errorf("%d connects", len(f.connects))
		}
	})
}

func TestAServerThatDoesNotAcknowledgeIsLeft(t *testing.T) {
	bubble(t, func(t *testing.T) {
		f := newFake(t)
		f.greet = mute
		r := start(t, f, &driver{}, nil)
		<-time.After(9 * time.Second)
		f.mu.Lock()
		f.greet = func(*websocket.Conn) bool { return true }
		f.mu.Unlock()
		r.offer("j1")
		r.await("finishJob", 1)
		if len(f.connects) < 2 {
			t.Errorf("%d connects", len(f.connects))
		}
	})
}

func TestAQuietConnectionStaysOpen(t *testing.T) {
	bubble(t, func(t *testing.T) {
		r := start(t, newFake(t), &driver{}, nil)
		r.offer("j1")
		r.await("finishJob", 1)
		<-time.After(time.Hour)
		if len(r.connects) != 1 {
			t.Errorf("%d connects in a quiet hour", len(r.connects))
		}
	})
}

func TestBackoffGrowsSpreadsAndIsBounded(t *testing.T) {
	bubble(t, func(t *testing.T) {
		f := newFake(t)
		f.greet = func(*websocket.Conn) bool { return false }
		start(t, f, &driver{}, func(c *agent.Config) { c.MinBackoff, c.MaxBackoff = time.Second, 20*time.Second })
		<-time.After(time.Hour)
		f.mu.Lock()
		defer f.mu.Unlock()
		waits := map[time.Duration]bool{}
		var sum time.Duration
		for i := 1; i < len(f.connects); i++ {
			wait := f.connects[i].Sub(f.connects[i-1])
			if bound := min(time.Second<<min(i-1, 10), 20*time.Second); wait > bound {
				t.Errorf("wait %d is %s, above %s", i, wait, bound)
			}
			waits[wait] = true
			sum += wait
		}
		if n := len(f.connects); n < 180 || len(waits) < n/2 || sum/time.Duration(n) < 8*time.Second {
			t.Errorf("%d connects with %d different waits", n, len(waits))
		}
	})
}

func TestRunEndsWithItsContextWhateverTheServerDoes(t *testing.T) {
	for name, prepare := range map[string]func(f *fake){
		"nothing answers the websocket": func(f *fake) {
			f.greet = mute
		},
		"claims hang":  func(f *fake) { f.on("claimJob", errAlways(errHang)) },
		"reports hang": func(f *fake) { f.on("finishJob", errAlways(errHang)) },
		"away":         func(f *fake) { f.away = true },
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				f := newFake(t)
				prepare(f)
				r := start(t, f, &driver{}, nil)
				if name == "claims hang" || name == "reports hang" {
					r.offer("j1")
				}
				<-time.After(time.Second)
				began := time.Now()
				r.stop()
				if err := <-r.result; err != nil {
					t.Error(err)
				}
				if took := time.Since(began); took > 11*time.Second {
					t.Errorf("took %s", took)
				}
			})
		})
	}
}

func TestTheEndOfRun(t *testing.T) {
	untouched := fmt.Errorf("%w: stopped in time", agent.ErrUntouched)
	for name, test := range map[string]struct {
		outcome error
		want    string
	}{
		"gives untouched work back":          {untouched, "releaseJob"},
		"reports work that is done":          {nil, "finishJob"},
		"leaves half-done work to its lease": {errors.New("killed"), ""},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				f := newFake(t)
				r := start(t, f, &driver{apply: func(ctx context.Context, _ agent.Job) (agent.Result, error) {
					<-ctx.Done()
					<-time.After(2 * time.Minute) // a driver that is slow to stop keeps its lease
					return agent.Result{}, test.outcome
				}}, nil)
				r.offer("j1")
				r.await("claimJob", 1)
				synctest.Wait()
				r.stop()
				if err := <-r.result; err != nil {
					t.Error(err)
				}
				for _, op := range []string{"releaseJob", "finishJob", "failJob"} {
					if got := len(f.of(op)); (got == 1) != (op == test.want) {
						t.Errorf("%s was called %d times", op, got)
					}
				}
				if renewals := len(f.of("renewLeases")); renewals < 5 {
					t.Errorf("%d renewals while the driver was stopping", renewals)
				}
			})
		})
	}
}

func TestUntouchedWithoutAnEndIsAFailure(t *testing.T) {
	bubble(t, func(t *testing.T) {
		r := start(t, newFake(t), &driver{apply: func(context.Context, agent.Job) (agent.Result, error) {
			return agent.Result{}, agent.ErrUntouched
		}}, nil)
		r.offer("j1")
		r.await("failJob", 1)
	})
}
