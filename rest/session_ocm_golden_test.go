package rest_test

import (
	"bytes"
	"fmt"
	"net/http"
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/icos-jobmanager/jobmanager/rest/oldclient"
)

// ocmRecord writes down calls in a form that is the same in every run.
type ocmRecord struct {
	text bytes.Buffer
	// names of what differs from run to run, by what it was.
	names map[string]string
}

// What differs from run to run: ids, the random ends of names, and times but the zero one.
var (
	ocmID   = regexp.MustCompile(`[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}`)
	ocmName = regexp.MustCompile(`"resource_name":"(web|klusterlet-addon)-[a-z0-9]{5}"`)
	ocmTime = regexp.MustCompile(`"20[0-9]{2}-[0-9]{2}-[0-9]{2}T[0-9:.]+Z"`)
)

// same replaces what differs; an id is named by the order in which ids appear.
func (r *ocmRecord) same(text string) string {
	text = ocmID.ReplaceAllStringFunc(text, func(id string) string {
		if r.names == nil {
			r.names = map[string]string{}
		}
		if r.names[id] == "" {
			r.names[id] = fmt.Sprintf("<id-%d>", len(r.names)+1)
		}
		return r.names[id]
	})
	return ocmTime.ReplaceAllString(ocmName.ReplaceAllString(text, `"resource_name":"$1-<5>"`), `"<time>"`)
}

// add writes one call: what was sent, what came, and the headers that the contract speaks of.
func (r *ocmRecord) add(c oldclient.Call) {
	fmt.Fprintf(&r.text, "> %s %s\n", c.Method, r.same(c.URI))
	ocmHeaders(&r.text, ">", c.Sent, "Authorization", "Content-Type")
	if len(c.Body) > 0 {
		fmt.Fprintf(&r.text, "> | %s\n", strings.ReplaceAll(r.same(string(c.Body)), "\n", "\n> | "))
	}
	fmt.Fprintf(&r.text, "< %d\n", c.Status)
	ocmHeaders(&r.text, "<", c.Header, "Content-Type", "Access-Control-Allow-Origin", "Allow", "Location")
	switch {
	case len(c.Answer) == 0:
		r.text.WriteString("< no body\n\n")
	case !bytes.HasSuffix(c.Answer, []byte("\n")):
		fmt.Fprintf(&r.text, "< | %s (no line feed at its end)\n\n", r.same(string(c.Answer)))
	default:
		fmt.Fprintf(&r.text, "< | %s\n", r.same(string(c.Answer)))
	}
}

func ocmHeaders(to *bytes.Buffer, sign string, header http.Header, names ...string) {
	for _, name := range names {
		if values := header.Values(name); len(values) > 0 {
			fmt.Fprintf(to, "%s %s: %s\n", sign, name, strings.Join(values, ", "))
		}
	}
}

// user is a call of the Shell backend, between those of the agent.
func (w *ocmWorld) user(r *ocmRecord, c oldclient.Call) oldclient.Call {
	w.t.Helper()
	shell := &oldclient.Hub{Base: w.s.URL + "/", Token: "t", HTTP: w.http}
	made, err := shell.Call(w.t.Context(), c)
	if err != nil {
		w.t.Fatal(err)
	}
	r.add(made)
	return made
}

// TestTheOCMSessionIsTheContracts replays one life of an application, from its creation to its deletion.
func TestTheOCMSessionIsTheContracts(t *testing.T) {
	want, err := os.ReadFile("testdata/session_ocm.golden")
	if err != nil {
		t.Error(err)
	}
	ocmEach(t, func(w *ocmWorld) {
		var r ocmRecord
		h := w.hub()
		agent := func() {
			w.clock.Advance(ocmPause)
			for _, call := range w.tick(h).Calls {
				r.add(call)
			}
		}
		if err := h.Fleet.AddForeign("hill", "klusterlet-addon", 1); err != nil {
			w.t.Fatal(err)
		}
		agent()
		w.user(&r, oldclient.Call{
			Method: http.MethodPost, URI: "/jobmanager/groups", Body: []byte(ocmDescribe("app", "web@hill")),
			Sent: http.Header{"Content-Type": {"application/x-yaml"}},
		})
		group := string(ocmID.Find(w.user(&r, oldclient.Call{Method: http.MethodGet, URI: "/jobmanager/groups"}).Answer))
		agent()
		w.user(&r, oldclient.Call{Method: http.MethodGet, URI: "/jobmanager/groups/" + group})
		w.user(&r, oldclient.Call{Method: http.MethodPut, URI: "/jobmanager/groups/undeploy/" + group})
		agent()
		agent()
		w.user(&r, oldclient.Call{Method: http.MethodDelete, URI: "/jobmanager/groups/" + group})
		if *update {
			if err := os.WriteFile("testdata/session_ocm.golden", r.text.Bytes(), 0o600); err != nil {
				w.t.Fatal(err)
			}
			return
		}
		if diff := cmp.Diff(strings.Split(string(want), "\n"), strings.Split(r.text.String(), "\n")); diff != "" {
			w.t.Errorf("the session differs from the golden one (-want +got):\n%s", diff)
			w.t.Logf("the whole session:\n%s", r.text.String())
		}
	})
}
