package app_test

import (
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/icos-jobmanager/jobmanager/internal/app/apptest"
)

// order is one call whose answer is not known yet; it is sent, unchanged, until there is one.
type order struct {
	mutation string
	input    map[string]any
	sent     bool
	// event is what it writes when it brings a group to its next generation, text the descriptor from then on.
	event, text string
}

// sendOrder sends a mutation, whose field has the alias "done". answered is false when the connection broke: whether
// it was done is open then. A code that says "try again" leaves it open as well.
func sendOrder[T any](t *testing.T, c *apptest.Client, o *order) (done T, code string, answered bool) {
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	o.sent = true
	answer, err := c.Do(ctx, o.mutation, apptest.Vars{"input": o.input})
	if err != nil {
		return done, "", false
	}
	if code := answer.Code(); code != "" {
		if code == "INTERNAL" || code == "INVALID" {
			t.Errorf("%v was answered %+v", o.input, answer.Errors)
		}
		return done, code, true
	}
	var data struct{ Done T }
	if err := json.Unmarshal(answer.Data, &data); err != nil {
		t.Error(err)
	}
	return data.Done, "", true
}

// tryAgain says whether a refusal leaves open what was done, or asks for another try.
func tryAgain(code string) bool { return code == "UNAVAILABLE" || code == "CONFLICT" }

// changedGroup is the answer to every order of an integrator.
type changedGroup struct {
	Deleted  bool
	JobGroup *struct {
		ID         string
		Generation int64
	}
}

// application is one that an integrator looks after; nobody else changes it.
type application struct {
	name       string
	id         string // empty until its creation was acknowledged
	generation int64  // as last acknowledged
	version    int    // of the descriptor that was made last
	text       string // the descriptor as last acknowledged
	leaving    bool   // its deletion was sent
	open       *order
}

// integrator submits, updates, stops, starts and deletes applications.
type integrator struct {
	storm  *storm
	name   string
	chance *rand.Rand
	apps   []*application
	made   int
}

// act sends one order; answered is false when the server is gone.
func (i *integrator) act(c *apptest.Client) (answered bool) {
	a := i.choose()
	if a.open == nil {
		a.open = i.think(a)
	}
	return i.send(c, a)
}

// settle gets the answers that are missing.
func (i *integrator) settle(c *apptest.Client) {
	for _, a := range i.apps {
		for a.open != nil {
			if !i.send(c, a) {
				i.storm.t.Fatalf("no answer to %v", a.open.input)
			}
		}
	}
	i.apps = slices.DeleteFunc(i.apps, func(a *application) bool { return a.leaving })
}

func (i *integrator) choose() *application {
	staying := 0
	for _, a := range i.apps {
		if a.open != nil {
			return a
		}
		if !a.leaving {
			staying++
		}
	}
	const most = 6
	if staying == 0 || staying < most && i.chance.IntN(3) == 0 {
		i.made++
		a := &application{name: fmt.Sprintf("app-%s-%d", i.name, i.made)}
		i.apps = append(i.apps, a)
		return a
	}
	return i.apps[i.chance.IntN(len(i.apps))]
}

// The orders of an integrator.
const (
	createOrder = `mutation($input: CreateJobGroupInput!) { done: createJobGroup(input: $input) { jobGroup { id generation } } }`
	updateOrder = `mutation($input: UpdateJobGroupInput!) { done: updateJobGroup(input: $input) { jobGroup { id generation } } }`
	stopOrder   = `mutation($input: StopJobGroupInput!) { done: stopJobGroup(input: $input) { jobGroup { id generation } } }`
	startOrder  = `mutation($input: StartJobGroupInput!) { done: startJobGroup(input: $input) { jobGroup { id generation } } }`
	deleteOrder = `mutation($input: DeleteJobGroupInput!) { done: deleteJobGroup(input: $input) { deleted jobGroup { id generation } } }`
)

// think makes the next order for an application. Every one carries a key, so that a retry does it once.
func (i *integrator) think(a *application) *order {
	o := &order{input: map[string]any{"idempotencyKey": uuid.NewString()}, text: a.text}
	if a.id == "" {
		o.mutation, o.event, o.text = createOrder, "JOB_GROUP_CREATED", descriptorOf(a.name, a.version)
		o.input["descriptor"] = o.text
		return o
	}
	o.input["jobGroupId"] = a.id
	switch roll := i.chance.IntN(10); {
	case roll < 3:
		a.version++
		o.mutation, o.event, o.text = updateOrder, "JOB_GROUP_UPDATED", descriptorOf(a.name, a.version)
		o.input["descriptor"] = o.text
	case roll < 6:
		o.mutation, o.event = stopOrder, "JOB_GROUP_STOPPED"
	case roll < 9:
		o.mutation, o.event = startOrder, "JOB_GROUP_STARTED"
	default:
		a.leaving = true
		o.mutation, o.event = deleteOrder, "JOB_GROUP_STOPPED"
		o.input["stopFirst"] = true
	}
	return o
}

// send sends the open order of an application and takes its answer.
func (i *integrator) send(c *apptest.Client, a *application) (answered bool) {
	o := a.open
	done, code, answered := sendOrder[changedGroup](i.storm.t, c, o)
	switch {
	case !answered:
		return false
	case tryAgain(code):
		return true
	case code == "NOT_FOUND" && a.leaving, code == "WRONG_STATE" && a.leaving, code == "GROUP_NOT_STOPPED" && o.mutation == startOrder:
		a.open = nil // refused: nothing changed
		return true
	case code != "":
		i.storm.t.Errorf("%s of %s was refused: %s", o.event, a.name, code)
	case done.JobGroup != nil:
		i.acknowledge(a, done.JobGroup.ID, done.JobGroup.Generation)
	case !done.Deleted:
		i.storm.t.Errorf("%s of %s was answered without the group", o.event, a.name)
	}
	a.open = nil
	return true
}

// acknowledge notes what was promised.
func (i *integrator) acknowledge(a *application, id string, generation int64) {
	s, o := i.storm, a.open
	s.mu.Lock()
	defer s.mu.Unlock()
	if a.id == "" {
		a.id = id
		s.groups = append(s.groups, id)
	}
	if a.id != id {
		s.t.Errorf("%s is group %s, and its order was answered with %s", a.name, a.id, id)
	}
	switch generation {
	case a.generation + 1:
		s.moves[ofGeneration{id, generation}] = o.event
	case a.generation: // it was as wanted already
	default:
		s.t.Errorf("%s went from generation %d to %d by one order", a.name, a.generation, generation)
	}
	a.generation, a.text = generation, o.text
}

// descriptorOf is the text of a version: each differs in its manifests, and every other one has one more part.
func descriptorOf(name string, version int) string {
	parts := []string{"front", "cellar"}
	if version%2 == 1 {
		parts = append(parts, "attic")
	}
	var components, manifests strings.Builder
	for _, part := range parts {
		fmt.Fprintf(&components, "  - name: %s\n    type: kubernetes\n    manifests: [{name: %s}]\n", part, part)
		shown := version
		if part == "cellar" {
			shown = 0 // it never changes: an update must not touch it
		}
		fmt.Fprintf(&manifests, "  - name: %s\n    manifest:\n      apiVersion: v1\n      kind: ConfigMap\n      metadata: {name: %s}\n      data: {version: \"%d\"}\n", part, part, shown)
	}
	return fmt.Sprintf("name: %s\ndescription: of a proof\ncomponents:\n%smanifests:\n%s", name, components.String(), manifests.String())
}

// partsOf are the components of a descriptor that descriptorOf made.
func partsOf(text string) []string {
	var parts []string
	for line := range strings.Lines(text) {
		if name, found := strings.CutPrefix(line, "  - name: "); found && !slices.Contains(parts, strings.TrimSpace(name)) {
			parts = append(parts, strings.TrimSpace(name))
		}
	}
	return parts
}

// watchdog reports that policies are broken.
type watchdog struct {
	storm  *storm
	chance *rand.Rand
	open   *order
	recent []string // ids that were acknowledged since the last check
	count  int
}

const reportOrder = `mutation($input: ReportIncomplianceInput!) { done: reportIncompliance(input: $input) { incompliance { id remediations { outcome } } } }`

func (w *watchdog) act(c *apptest.Client) (answered bool) {
	if w.open == nil {
		if w.open = w.think(); w.open == nil { // there is no application yet
			_, err := c.Do(context.Background(), `{ serverInfo { version } }`, nil)
			return err == nil
		}
	}
	return w.send(c)
}

func (w *watchdog) settle(c *apptest.Client) {
	for w.open != nil {
		if !w.send(c) {
			w.storm.t.Fatalf("no answer to %v", w.open.input)
		}
	}
}

func (w *watchdog) think() *order {
	w.storm.mu.Lock()
	defer w.storm.mu.Unlock()
	if len(w.storm.groups) == 0 {
		return nil
	}
	pick := func(words ...string) string { return words[w.chance.IntN(len(words))] }
	return &order{mutation: reportOrder, input: map[string]any{
		"id":          uuid.NewString(),
		"policyName":  "p",
		"remediation": pick("scale-up", "scale-down", "patch", "redeploy", "none", "levitate"),
		"subject":     map[string]any{"appInstance": pick(w.storm.groups...), "appComponent": pick("*", "front", "/cellar|attic/")},
	}}
}

func (w *watchdog) send(c *apptest.Client) (answered bool) {
	done, code, answered := sendOrder[struct{ Incompliance struct{ ID string } }](w.storm.t, c, w.open)
	switch {
	case !answered:
		return false
	case tryAgain(code):
		return true
	case code != "":
		w.storm.t.Errorf("an incompliance was refused: %s", code)
	case done.Incompliance.ID != w.open.input["id"]:
		w.storm.t.Errorf("incompliance %v was answered with %s", w.open.input["id"], done.Incompliance.ID)
	default:
		w.recent = append(w.recent, done.Incompliance.ID)
		w.count++
	}
	w.open = nil
	return true
}

// check holds that what was acknowledged since the last check is kept.
func (w *watchdog) check(c *apptest.Client) {
	w.storm.t.Helper()
	const page = 500
	for ids := range slices.Chunk(w.recent, page) {
		var kept struct {
			Incompliances struct{ Nodes []struct{ ID string } }
		}
		c.Must(w.storm.t, `query($ids: [ID!]) { incompliances(filter: {ids: $ids}, first: 500) { nodes { id } } }`, apptest.Vars{"ids": ids}, &kept)
		if len(kept.Incompliances.Nodes) != len(ids) {
			w.storm.t.Errorf("of %d acknowledged incompliances %d are kept", len(ids), len(kept.Incompliances.Nodes))
		}
	}
	w.recent = nil
}
