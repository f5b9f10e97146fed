package testkit

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"go.yaml.in/yaml/v4"

	"github.com/icos-jobmanager/jobmanager/internal/jobmanager"
)

// PolicyManager is a fake of the ICOS Policy Manager 0.3.1 on loopback, as far as it is told of applications. Set
// the fields, then Start. It is safe for concurrent use.
//
// It checks a body as the real one does, answers 500 where that one breaks, and knows each application that was
// created until it is deleted. It is stricter where the real one hides a mistake: a second created for the same
// application is a 409 (there, every policy is made a second time), an application that it does not know is a 404
// (there, 200 and no policies), another service than job-manager is a 422 (there, 500 for a created alone).
// Policies themselves are not read, and no token is asked for unless RequireToken is set.
type PolicyManager struct {
	// RequireToken answers 401 to a call without a bearer token, as the real one does.
	RequireToken bool
	// URL is the base address, without /polman; Start sets it.
	URL string

	mu      sync.Mutex // guards the fields below
	apps    map[jobmanager.ID]PolicyManagerApp
	calls   []PolicyManagerCall
	changed chan struct{} // closed, and replaced, with each call
	trouble trouble
}

// PolicyManagerCall is what the fake was told.
type PolicyManagerCall struct {
	// Authorization is the whole header; empty when none was sent.
	Authorization string
	Event         jobmanager.NoticeKind
	AppInstance   jobmanager.ID
	// Body as it came.
	Body string
	// Status that it was answered with; 0 when it was not answered.
	Status int
}

// PolicyManagerApp is an application that the fake knows.
type PolicyManagerApp struct {
	// Descriptor as it came.
	Descriptor string
	// Active says that its policies are watched: since started, until stopped.
	Active bool
}

// trouble is what becomes of the next calls.
type trouble struct {
	times  int
	status int  // 0: no answer
	heard  bool // the call takes effect all the same
}

// Start listens on a free loopback port until the test ends, and returns the fake itself.
func (p *PolicyManager) Start(t testing.TB) *PolicyManager {
	t.Helper()
	p.apps = map[jobmanager.ID]PolicyManagerApp{}
	p.changed = make(chan struct{})
	mux := http.NewServeMux()
	mux.HandleFunc("POST /polman/registry/api/v1/icos/app", p.serve)
	mux.HandleFunc("/", func(w http.ResponseWriter, _ *http.Request) {
		reply(w, http.StatusNotFound, `{"detail":"Not Found"}`)
	})
	server := httptest.NewServer(mux)
	t.Cleanup(server.Close)
	p.URL = server.URL
	return p
}

// Fail answers the next calls, so many times, with this status, and they have no effect. Status 0 means no answer:
// a call is held until the caller gives up. It replaces what Fail and Lose said before; 0 times ends it.
func (p *PolicyManager) Fail(status, times int) { p.set(trouble{times: times, status: status}) }

// Lose lets the next calls, so many times, take effect and cuts their connection instead of answering. It replaces
// what Fail and Lose said before; 0 times ends it.
func (p *PolicyManager) Lose(times int) { p.set(trouble{times: times, heard: true}) }

func (p *PolicyManager) set(next trouble) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.trouble = next
}

// Calls that came so far, in the order in which they took effect.
func (p *PolicyManager) Calls() []PolicyManagerCall {
	calls, _ := p.state()
	return calls
}

// App gives what is known of an application.
func (p *PolicyManager) App(instance jobmanager.ID) (app PolicyManagerApp, known bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	app, known = p.apps[instance]
	return app, known
}

// Await blocks until the n-th call, counted from 1, has come, and gives it. It fails the test when that takes
// longer than 20 seconds of real time.
func (p *PolicyManager) Await(t testing.TB, n int) PolicyManagerCall {
	t.Helper()
	limit := time.NewTimer(awaitLimit)
	defer limit.Stop()
	for {
		calls, changed := p.state()
		if len(calls) >= n {
			return calls[n-1]
		}
		select {
		case <-changed:
		case <-limit.C:
			t.Fatalf("the Policy Manager was called %d times after %s, want %d", len(calls), awaitLimit, n)
			return PolicyManagerCall{}
		}
	}
}

func (p *PolicyManager) state() (calls []PolicyManagerCall, changed <-chan struct{}) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return append([]PolicyManagerCall(nil), p.calls...), p.changed
}

func (p *PolicyManager) serve(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return // the caller went away
	}
	status, answer, lost := p.take(r.Header.Get("Authorization"), body)
	switch {
	case lost:
		if connection, _, err := http.NewResponseController(w).Hijack(); err == nil {
			_ = connection.Close() // it ends in any case
		}
	case status == 0:
		<-r.Context().Done()
	default:
		reply(w, status, answer)
	}
}

func reply(w http.ResponseWriter, status int, body string) {
	if json.Valid([]byte(body)) {
		w.Header().Set("Content-Type", "application/json")
	}
	w.WriteHeader(status)
	_, _ = io.WriteString(w, body) // a caller that went away is the test's affair
}

// take lets a call take effect, unless it is in trouble, and records it.
func (p *PolicyManager) take(authorization string, body []byte) (status int, answer string, lost bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	var told lifecycleEvent
	malformed := json.Unmarshal(body, &told) != nil
	now := trouble{heard: true}
	if p.trouble.times > 0 {
		p.trouble.times--
		now, lost = p.trouble, p.trouble.heard
	}
	switch {
	case !now.heard:
		status, answer = now.status, `{"detail":"the fake was told to fail"}`
	case p.RequireToken && !strings.HasPrefix(authorization, "Bearer "):
		status, answer = http.StatusUnauthorized, `{"detail":"no token was sent"}`
	case malformed:
		status, answer = faulty(fault{"", "body", "JSON decode error"})
	default:
		status, answer = p.apply(told)
	}
	call := PolicyManagerCall{Authorization: authorization, Event: told.Event, AppInstance: told.AppInstance, Body: string(body), Status: status}
	if lost {
		call.Status = 0
	}
	p.calls = append(p.calls, call)
	close(p.changed)
	p.changed = make(chan struct{})
	return status, answer, lost
}

// lifecycleEvent is the body of a call.
type lifecycleEvent struct {
	Event         jobmanager.NoticeKind `json:"event"`
	AppInstance   jobmanager.ID         `json:"app_instance"`
	Service       string                `json:"service"`
	AppDescriptor *string               `json:"app_descriptor"`
	Callback      *struct {
		Type       string            `json:"type"`
		URI        string            `json:"uri"`
		HTTPMethod string            `json:"http_method"`
		Extra      map[string]string `json:"extra_params"`
	} `json:"callback"`
}

// apply does what an event says; the caller holds the lock.
func (p *PolicyManager) apply(told lifecycleEvent) (status int, answer string) {
	app, known := p.apps[told.AppInstance]
	switch {
	case told.Service != "job-manager":
		return faulty(fault{told.Event, "service", "Input should be 'job-manager'"})
	case told.AppInstance == "":
		return faulty(fault{told.Event, "app_instance", "Field required"})
	case told.Event == jobmanager.NoticeCreated:
		if status, answer = told.check(); status != http.StatusOK {
			return status, answer
		}
		if known {
			return http.StatusConflict, `{"status_code":409,"detail":"this application instance was created before"}`
		}
		app = PolicyManagerApp{Descriptor: *told.AppDescriptor}
	case told.Event != jobmanager.NoticeStarted && told.Event != jobmanager.NoticeStopped && told.Event != jobmanager.NoticeDeleted:
		return faulty(fault{"", "event", "Input should be an event"})
	case !known:
		return http.StatusNotFound, `{"status_code":404,"detail":"this application instance is not known"}`
	}
	app.Active = told.Event == jobmanager.NoticeStarted
	p.apps[told.AppInstance] = app
	if told.Event == jobmanager.NoticeDeleted {
		delete(p.apps, told.AppInstance)
	}
	return http.StatusOK, `[]`
}

// check reads a created as the real one does: it takes the first document that has a name and components.
func (e lifecycleEvent) check() (status int, answer string) {
	const broken = "Internal Server Error"
	if e.Callback == nil || e.AppDescriptor == nil {
		return http.StatusInternalServerError, broken
	}
	if e.Callback.Type != "icos-service" || !strings.HasPrefix(e.Callback.URI, "/") || e.Callback.HTTPMethod == "" {
		return faulty(fault{e.Event, "callback", "Input should be the callback of a service"})
	}
	loader, err := yaml.NewLoader(strings.NewReader(*e.AppDescriptor))
	if err != nil {
		return http.StatusInternalServerError, broken
	}
	for {
		var document any
		if err := loader.Load(&document); err != nil || document == nil {
			return http.StatusInternalServerError, broken // also at the end, where none was found
		}
		header, _ := document.(map[string]any) // nil has neither
		_, named := header["name"]
		if _, composed := header["components"]; named && composed {
			return checkHeader(header)
		}
	}
}

func checkHeader(header map[string]any) (status int, answer string) {
	var faults []fault
	need := func(fields map[string]any, place, key string) {
		value, present := fields[key]
		_, text := value.(string)
		switch {
		case !present:
			faults = append(faults, fault{jobmanager.NoticeCreated, place + key, "Field required"})
		case !text:
			faults = append(faults, fault{jobmanager.NoticeCreated, place + key, "Input should be a valid string"})
		}
	}
	need(header, "app_descriptor.", "name")
	need(header, "app_descriptor.", "description")
	components, list := header["components"].([]any)
	if !list {
		faults = append(faults, fault{jobmanager.NoticeCreated, "app_descriptor.components", "Input should be a valid list"})
	}
	for _, component := range components {
		fields, _ := component.(map[string]any) // nil lacks both
		need(fields, "app_descriptor.components.", "name")
		need(fields, "app_descriptor.components.", "type")
	}
	if len(faults) > 0 {
		return faulty(faults...)
	}
	return http.StatusOK, ""
}

// fault is one thing that is wrong with a body, at a place in it.
type fault struct {
	event      jobmanager.NoticeKind // the event that it is wrong for; empty: for all
	place, msg string
}

// faulty is the real one's answer to what does not fit: a 422 that tells the faults for its model of the event, and
// for those of all other events, which the body does not fit either.
func faulty(faults ...fault) (status int, answer string) {
	type located struct {
		Loc []string `json:"loc"`
		Msg string   `json:"msg"`
	}
	var detail []located
	for _, model := range []struct {
		event jobmanager.NoticeKind
		name  string
	}{
		{jobmanager.NoticeCreated, "ICOSAppCreatedEvent"}, {jobmanager.NoticeStarted, "ICOSAppStartedEvent"},
		{jobmanager.NoticeStopped, "ICOSAppStoppedEvent"}, {jobmanager.NoticeDeleted, "ICOSAppDeletedEvent"},
	} {
		for _, f := range faults {
			detail = append(detail, located{append([]string{"body", model.name}, strings.Split(f.place, ".")...), f.msg})
			if f.event != "" && f.event != model.event {
				detail = append(detail, located{[]string{"body", model.name, "event"}, "Input should be '" + string(model.event) + "'"})
			}
		}
	}
	text, err := json.Marshal(map[string]any{"status_code": http.StatusUnprocessableEntity, "detail": detail})
	if err != nil {
		return http.StatusInternalServerError, err.Error()
	}
	return http.StatusUnprocessableEntity, string(text)
}
