package oldclient

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
)

// peer answers each call in turn and keeps what it was asked.
type nuvlaPeer struct {
	mu    sync.Mutex // guards the fields below
	asked []string
	plan  []nuvlaAnswer
}

type nuvlaAnswer struct {
	status int
	body   string
}

// agentOf is an agent of a server that answers so; the last answer is given again and again.
func agentOf(t *testing.T, plan ...nuvlaAnswer) (*Nuvla, *nuvlaPeer) {
	t.Helper()
	peer := &nuvlaPeer{plan: plan}
	server := httptest.NewServer(peer)
	t.Cleanup(server.Close)
	logins := 0
	login := func() string {
		logins++
		return fmt.Sprintf("token-%d", logins)
	}
	return &Nuvla{URL: server.URL, HTTP: server.Client(), Login: login, Launch: func(NuvlaLaunch) error { return nil }}, peer
}

// ServeHTTP gives the next answer.
func (p *nuvlaPeer) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	p.mu.Lock()
	defer p.mu.Unlock()
	var body json.RawMessage
	_ = json.NewDecoder(r.Body).Decode(&body) // a call without a body has none
	p.asked = append(p.asked, strings.TrimSpace(fmt.Sprintf("%s %s %s %s", r.Method, r.URL.Path, r.Header.Get("Authorization"), body)))
	next := p.plan[0]
	if len(p.plan) > 1 {
		p.plan = p.plan[1:]
	}
	w.WriteHeader(next.status)
	_, _ = w.Write([]byte(next.body)) // the client may be gone
}

const nuvlaListing = "GET /jobmanager/jobs/executable/orchestrator/nuvla Bearer "

func TestNuvlaRenewsItsTokenAfterA500AndTriesOnceMore(t *testing.T) {
	t.Parallel()
	agent, peer := agentOf(t, nuvlaAnswer{500, "x"}, nuvlaAnswer{200, "[]"}, nuvlaAnswer{200, "[]"}, nuvlaAnswer{500, ""}, nuvlaAnswer{500, ""})
	for range 3 {
		if jobs, err := agent.List(t.Context()); err != nil || len(jobs) != 0 {
			t.Errorf("listed %v, %v", jobs, err)
		}
	}
	want := []string{nuvlaListing + "token-1", nuvlaListing + "token-2", nuvlaListing + "token-2", nuvlaListing + "token-2", nuvlaListing + "token-3"}
	if !slices.Equal(peer.asked, want) {
		t.Errorf("asked %q", peer.asked)
	}
}

func TestNuvlaTakesNoOtherAnswerForAList(t *testing.T) {
	t.Parallel()
	for _, answer := range []nuvlaAnswer{{401, "[]"}, {400, `{"error":"x"}`}, {503, "[]"}, {200, `{}`}, {200, "null"}, {200, ""}, {200, `["x"]`}} {
		agent, peer := agentOf(t, answer)
		if launched := agent.Round(t.Context()); len(launched) != 0 || len(agent.Stumbles()) != 1 || len(peer.asked) != 1 {
			t.Errorf("%v: launched %v, stumbled over %q, asked %q", answer, launched, agent.Stumbles(), peer.asked)
		}
	}
}

// nuvlaJob is a job as the agent needs it; keys with an empty value are left out.
func nuvlaJob(id, group, targets string) string {
	return fmt.Sprintf(`{"ID":%q,"job_group_id":%q,"job_group_name":"app","orchestrator":"nuvla","manifest":"of %[1]s","targets":%[3]s}`, id, group, targets)
}

const nuvlaBox = `[{"cluster_name":"core"},{},{"cluster_name":"nuvlabox/1"},{"cluster_name":"infrastructure-service/2"}]`

func TestNuvlaMergesTheJobsOfAGroup(t *testing.T) {
	t.Parallel()
	list := "[" + nuvlaJob("a", "g", nuvlaBox) + "," + nuvlaJob("z", "h", "[]") + "," + nuvlaJob("b", "g", "[]") + "," + nuvlaJob("b", "g", "[]") + "]"
	agent, peer := agentOf(t, nuvlaAnswer{200, list}, nuvlaAnswer{200, "{}"})
	launched := agent.Round(t.Context())
	if len(launched) != 2 || launched[0].Target != "nuvlabox/1" || launched[1].Target != "infrastructure-service/2" ||
		launched[0].Manifest != "of a\r\n---\r\nof b" || strings.Join(launched[0].JobIDs, " ") != "a b" || launched[0].Application != "app" {
		t.Errorf("launched %+v", launched)
	}
	put := func(id, rest string) string {
		return fmt.Sprintf(`PUT /jobmanager/jobs/%[1]s Bearer token-1 {"ID": %[1]q, "uuid": %[1]q, %s}`, id, rest)
	}
	const lock, done = `"locker": true, "state": 2`, `"locker": true, "state": 3`
	once := []string{put("a", lock), put("b", lock), put("a", done), put("b", done)}
	if want := slices.Concat([]string{nuvlaListing + "token-1"}, once, once); !slices.Equal(peer.asked, want) {
		t.Errorf("asked %q,\nwant %q", peer.asked, want)
	}
	if len(agent.Stumbles()) > 0 {
		t.Errorf("stumbled over %q", agent.Stumbles())
	}
}

func TestNuvlaUnlocksWhatItCouldNotLaunch(t *testing.T) {
	t.Parallel()
	agent, peer := agentOf(t, nuvlaAnswer{200, "[" + nuvlaJob("a", "g", `[{"cluster_name":"nuvlabox/1"}]`) + "]"}, nuvlaAnswer{200, "{}"})
	agent.Launch = func(NuvlaLaunch) error { return errors.New("no") }
	if launched := agent.Round(t.Context()); len(launched) != 0 {
		t.Errorf("launched %+v", launched)
	}
	if last := peer.asked[len(peer.asked)-1]; last != `PUT /jobmanager/jobs/a Bearer token-1 {"ID": "a", "uuid": "a", "locker": false, "state": 1}` {
		t.Errorf("said %s", last)
	}
}

func TestNuvlaLaunchesWhatItCouldNotLock(t *testing.T) {
	t.Parallel()
	list := "[" + nuvlaJob("a", "g", `[{"cluster_name":"nuvlabox/1"}]`) + "]"
	agent, _ := agentOf(t, nuvlaAnswer{200, list}, nuvlaAnswer{400, `{"error":"no"}`}, nuvlaAnswer{200, ""})
	if launched := agent.Round(t.Context()); len(launched) != 1 || len(agent.Stumbles()) != 2 {
		t.Errorf("launched %+v, stumbled over %q", launched, agent.Stumbles())
	}
}

// TestNuvlaBreaksWhereItsLanguageWould lists jobs of the newer dialect, and such as lack what is needed.
func TestNuvlaBreaksWhereItsLanguageWould(t *testing.T) {
	t.Parallel()
	fine := nuvlaJob("a", "g", `[{"cluster_name":"nuvlabox/1"}]`)
	for name, job := range map[string]string{
		"another spelling of ID": strings.Replace(fine, `"ID"`, `"id"`, 1),
		"targets as an object":   strings.NewReplacer("[", "", "]", "").Replace(fine),
		"no targets but null":    nuvlaJob("a", "g", "null"),
		"texts as targets":       nuvlaJob("a", "g", `["nuvlabox/1"]`),
		"a cluster without name": nuvlaJob("a", "g", `[{"cluster_name":null}]`),
		"manifests as a list":    strings.Replace(fine, `"manifest":"of a"`, `"manifests":[]`, 1),
		"no name of the group":   strings.Replace(fine, `"job_group_name":"app",`, "", 1),
		"one of two without":     fine + "," + strings.Replace(nuvlaJob("b", "g", "[]"), `"manifest":"of b",`, "", 1),
	} {
		agent, peer := agentOf(t, nuvlaAnswer{200, "[" + job + "]"})
		if launched := agent.Round(t.Context()); len(launched) != 0 || len(agent.Stumbles()) != 1 || len(peer.asked) != 1 {
			t.Errorf("%s: launched %+v, stumbled over %q, asked %q", name, launched, agent.Stumbles(), peer.asked)
		}
	}
	for name, job := range map[string]string{
		"another orchestrator": strings.Replace(fine, `"orchestrator":"nuvla"`, `"orchestrator":"ocm"`, 1),
		"no targets at all":    strings.Replace(fine, `,"targets":[{"cluster_name":"nuvlabox/1"}]`, "", 1),
		"clusters of others":   nuvlaJob("a", "g", `[{"cluster_name":"core"}]`),
	} {
		agent, _ := agentOf(t, nuvlaAnswer{200, "[" + job + "]"})
		if launched := agent.Round(t.Context()); len(launched) != 0 || len(agent.Stumbles()) != 0 {
			t.Errorf("%s: launched %+v, stumbled over %q", name, launched, agent.Stumbles())
		}
	}
}
