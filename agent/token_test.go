package agent_test

import (
	"bytes"
	"errors"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gorilla/websocket"

	"github.com/icos-jobmanager/jobmanager/agent"
)

func TestAServerThatRefusesTheTokenEndsRun(t *testing.T) {
	closing := func(conn *websocket.Conn) bool {
		_ = conn.WriteMessage(websocket.CloseMessage, websocket.FormatCloseMessage(4403, "who are you"))
		return false
	}
	for name, refuse := range map[string]func(*fake){
		"at the websocket": func(f *fake) { f.greet = closing },
		"at a claim":       func(f *fake) { f.on("claimJob", code("UNAUTHENTICATED")) },
		"at a report":      func(f *fake) { f.on("finishJob", code("FORBIDDEN")) },
		"at a renewal": func(f *fake) {
			f.on("renewLeases", code("UNAUTHENTICATED"))
			f.on("finishJob", errAlways(errDrop))
		},
		"in the stream": func(f *fake) {
			f.on("claimJob", func(call) (any, error) {
				go f.push(frame{Type: "error", ID: "1", Payload: mustJSON([]any{
					map[string]any{"message": "no", "extensions": map[string]any{"code": "FORBIDDEN"}},
				})})
				return nil, &agent.Error{Code: "NOT_CLAIMABLE"}
			})
		},
	} {
		t.Run(name, func(t *testing.T) {
			bubble(t, func(t *testing.T) {
				f := newFake(t)
				refuse(f)
				r := start(t, f, &driver{}, nil)
				if name != "at the websocket" {
					r.offer("j1")
				}
				err := <-r.result
				refusal, ok := errors.AsType[*agent.Error](err)
				if !ok || (refusal.Code != "UNAUTHENTICATED" && refusal.Code != "FORBIDDEN") || !strings.Contains(err.Error(), "Token") {
					t.Errorf("Run ended with %v", err)
				}
				if name == "at the websocket" && len(f.connects) != 3 {
					t.Errorf("after %d tries", len(f.connects))
				}
			})
		})
	}
}

func TestAWrongConfigurationSaysWhatToSet(t *testing.T) {
	t.Parallel()
	good := agent.Config{URL: "http://127.0.0.1:1", Orchestrator: "ocm", OwnerID: "a", Driver: &driver{}}
	for field, change := range map[string]func(*agent.Config){
		"URL":          func(c *agent.Config) { c.URL = "ws://127.0.0.1:1" },
		"Orchestrator": func(c *agent.Config) { c.Orchestrator = "" },
		"OwnerID":      func(c *agent.Config) { c.OwnerID = "" },
		"Driver":       func(c *agent.Config) { c.Driver = nil },
		"Parallel":     func(c *agent.Config) { c.Parallel = -1 },
		"Lease":        func(c *agent.Config) { c.Lease = time.Second },
		"MinBackoff":   func(c *agent.Config) { c.MinBackoff, c.MaxBackoff = time.Minute, time.Second },
	} {
		config := good
		change(&config)
		if err := agent.Run(t.Context(), config); err == nil || !strings.Contains(err.Error(), "Config."+field) {
			t.Errorf("%s: %v", field, err)
		}
	}
}

func TestTheTokenIsNeverLogged(t *testing.T) {
	bubble(t, func(t *testing.T) {
		f := newFake(t)
		f.on("claimJob", f.first(1, errDrop))
		f.on("finishJob", f.first(1, errHang))
		var log bytes.Buffer
		r := start(t, f, &driver{}, func(c *agent.Config) {
			c.Log = slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug}))
		})
		r.offer("j1")
		r.await("finishJob", 2)
		r.goAway(true)
		<-time.After(time.Minute)
		r.stop()
		if err := <-r.result; err != nil {
			t.Error(err)
		}
		if !strings.Contains(log.String(), "finished") || strings.Contains(log.String(), "secret-token") {
			t.Errorf("log:\n%s", &log)
		}
	})
}

func TestATokenThatIsAcceptedAgainIsNoReasonToEnd(t *testing.T) {
	bubble(t, func(t *testing.T) {
		r := start(t, newFake(t), &driver{}, nil)
		for i := range 5 {
			r.offer("j1")
			r.await("finishJob", i+1)
			<-time.After(time.Hour)
			r.mu.Lock()
			_ = r.socket.WriteMessage(websocket.CloseMessage, websocket.FormatCloseMessage(4403, "expired"))
			r.mu.Unlock()
			synctest.Wait()
			<-time.After(time.Minute)
		}
	})
}
