package agent_test

import (
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"os"
	"sync"
	"testing"
	"time"

	"github.com/gorilla/websocket"
	"github.com/vektah/gqlparser/v2"
	"github.com/vektah/gqlparser/v2/ast"
	"github.com/vektah/gqlparser/v2/validator"
	"github.com/vektah/gqlparser/v2/validator/rules"

	"github.com/icos-jobmanager/jobmanager/agent"
)

// call is one mutation that the fake server got.
type call struct {
	op    string
	input map[string]any
	token string
	at    time.Time
}

func (c call) jobID() string  { id, _ := c.input["jobId"].(string); return id }
func (c call) epoch() float64 { epoch, _ := c.input["epoch"].(float64); return epoch }

var (
	errDrop = errors.New("close the connection without an answer")
	errHang = errors.New("never answer")
)

// fake is a server of the protocol. By default it grants every claim with the next epoch, renews every lease
// and takes every report; answer changes that, by operation.
type fake struct {
	t        testing.TB
	listener *pipeListener
	schema   *ast.Schema

	mu       sync.Mutex // guards the fields below
	answer   map[string]func(call) (any, error)
	calls    []call
	news     chan struct{} // closed when calls grow
	job      map[string]map[string]any
	epoch    map[string]int64
	socket   *websocket.Conn
	connects []time.Time
	hello    map[string]any
	greet    func(*websocket.Conn) bool
	online   chan struct{} // closed while a subscription is open
	away     bool
	deaf     bool // the next subscription hears nothing, so it answers no ping
}

func newFake(t testing.TB) *fake {
	t.Helper()
	text, err := os.ReadFile("../schema.graphqls")
	if err != nil {
		t.Fatal(err)
	}
	schema, err := gqlparser.LoadSchema(&ast.Source{Name: "schema.graphqls", Input: string(text)})
	if err != nil {
		t.Fatal(err)
	}
	f := &fake{
		t: t, listener: newPipeListener(), schema: schema, answer: map[string]func(call) (any, error){},
		news: make(chan struct{}), job: map[string]map[string]any{}, epoch: map[string]int64{},
		online: make(chan struct{}), greet: func(*websocket.Conn) bool { return true },
	}
	return f
}

// serve starts the server on its own network and gives a client of it.
func (f *fake) serve() *http.Client {
	server := &http.Server{Handler: f, ReadHeaderTimeout: time.Minute}
	var wg sync.WaitGroup
	wg.Go(func() { _ = server.Serve(f.listener) })
	transport := &http.Transport{DialContext: f.listener.dial}
	f.t.Cleanup(func() {
		transport.CloseIdleConnections()
		_ = server.Close()
		wg.Wait()
	})
	return &http.Client{Transport: transport}
}

func (f *fake) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.URL.Path != "/graphql" {
		http.NotFound(w, r)
		return
	}
	f.mu.Lock()
	away := f.away
	f.mu.Unlock()
	switch {
	case away:
		w.WriteHeader(http.StatusBadGateway)
	case websocket.IsWebSocketUpgrade(r):
		f.subscription(w, r)
	default:
		f.mutation(w, r)
	}
}

// check holds a request against the public schema, and gives the name of its one root field.
func (f *fake) check(request []byte) (op string, variables map[string]any) {
	var body struct {
		Query     string
		Variables map[string]any
	}
	if err := json.Unmarshal(request, &body); err != nil {
		f.t.Errorf("request %s: %v", request, err)
		return "", nil
	}
	document, errs := gqlparser.LoadQueryWithRules(f.schema, body.Query, rules.NewDefaultRules())
	if len(errs) != 0 {
		f.t.Errorf("%s: %v", body.Query, errs)
		return "", nil
	}
	root := document.Operations[0]
	if _, err := validator.VariableValues(f.schema, root, body.Variables); err != nil {
		f.t.Errorf("%s with %v: %v", body.Query, body.Variables, err)
	}
	field, _ := root.SelectionSet[0].(*ast.Field)
	return field.Name, body.Variables
}

func (f *fake) mutation(w http.ResponseWriter, r *http.Request) {
	// The server notices that a client is gone only while nothing is left to read.
	body, err := io.ReadAll(r.Body)
	if err != nil {
		return
	}
	op, variables := f.check(body)
	input, _ := variables["input"].(map[string]any)
	c := call{op, input, r.Header.Get("Authorization"), time.Now()}
	f.mu.Lock()
	answer := f.answer[c.op]
	f.mu.Unlock()
	var data any
	if answer != nil {
		data, err = answer(c)
	} else {
		data, err = f.standard(c)
	}
	f.record(c)
	var refused *agent.Error
	switch {
	case errors.Is(err, errDrop):
		conn, _, _ := w.(http.Hijacker).Hijack()
		_ = conn.Close()
		return
	case errors.Is(err, errHang):
		<-r.Context().Done()
		return
	case errors.As(err, &refused):
		w.Header().Set("Content-Type", "application/graphql-response+json")
		_ = json.NewEncoder(w).Encode(map[string]any{"errors": []any{
			map[string]any{"message": refused.Message, "extensions": map[string]any{"code": refused.Code}},
		}, "data": nil})
		return
	}
	_ = json.NewEncoder(w).Encode(map[string]any{"data": map[string]any{c.op: data}})
}

func (f *fake) record(c call) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.calls = append(f.calls, c)
	close(f.news)
	f.news = make(chan struct{})
}

// standard is what a friendly server answers.
func (f *fake) standard(c call) (any, error) {
	switch c.op {
	case "claimJob":
		return map[string]any{"job": f.claim(c.jobID())}, nil
	case "claimJobs":
		return map[string]any{"jobs": []any{}}, nil
	case "renewLeases":
		return f.renewals(c, ""), nil
	case "reportResource":
		return map[string]any{"resource": map[string]any{"id": "r"}}, nil
	default:
		return map[string]any{"job": map[string]any{"id": c.jobID()}}, nil
	}
}

// renewals answers every lease with the code; empty renews.
func (f *fake) renewals(c call, code string) any {
	results := []any{}
	for _, lease := range c.input["leases"].([]any) {
		result := map[string]any{"jobId": lease.(map[string]any)["jobId"], "code": nil, "message": nil}
		if code != "" {
			result["code"], result["message"] = code, "refused"
		}
		results = append(results, result)
	}
	return map[string]any{"results": results}
}

// claim gives the job with the next epoch.
func (f *fake) claim(id string) map[string]any {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.epoch[id]++
	job := map[string]any{
		"id": id, "component": "web", "type": "CREATE_DEPLOYMENT", "subType": nil, "epoch": f.epoch[id],
		"generation": 1, "attempt": 1, "namespace": "shop", "group": map[string]any{"id": "g1", "name": "shop"},
		"target":    map[string]any{"cluster": "edge-1", "node": nil},
		"manifests": []any{map[string]any{"name": "m", "apiVersion": "v1", "kind": "ConfigMap", "text": "kind: ConfigMap\n"}},
		"resource":  nil,
	}
	for key, value := range f.job[id] {
		job[key] = value
	}
	return job
}

// on changes the answer to an operation.
func (f *fake) on(op string, answer func(call) (any, error)) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.answer[op] = answer
}

// friendly takes a changed answer back.
func (f *fake) friendly(op string) { f.on(op, nil) }

// code answers with a refusal.
func code(c string) func(call) (any, error) {
	return func(call) (any, error) { return nil, &agent.Error{Code: c, Message: "refused"} }
}

// first answers the first n calls with err, the others as a friendly server.
func (f *fake) first(n int, err error) func(call) (any, error) {
	var mu sync.Mutex
	return func(c call) (any, error) {
		mu.Lock()
		defer mu.Unlock()
		if n > 0 {
			n--
			return nil, err
		}
		return f.standard(c)
	}
}

// of gives the calls of an operation so far.
func (f *fake) of(op string) []call {
	f.mu.Lock()
	defer f.mu.Unlock()
	var found []call
	for _, c := range f.calls {
		if c.op == op {
			found = append(found, c)
		}
	}
	return found
}

// await waits for the n-th call of an operation, from 1.
func (f *fake) await(op string, n int) call {
	f.t.Helper()
	limit := time.NewTimer(2 * time.Hour) // of the bubble's time
	defer limit.Stop()
	for {
		f.mu.Lock()
		news := f.news
		f.mu.Unlock()
		if found := f.of(op); len(found) >= n {
			return found[n-1]
		}
		select {
		case <-news:
		case <-limit.C:
			f.t.Fatalf("%s was called %d times, not %d", op, len(f.of(op)), n)
		}
	}
}

// errAlways answers every call with err.
func errAlways(err error) func(call) (any, error) {
	return func(call) (any, error) { return nil, err }
}
