package jobmanager_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/icos-jobmanager/jobmanager/internal/jobmanager"
)

func TestTokenPrintsAsNothing(t *testing.T) {
	t.Parallel()
	const secret = "s3cr3t"
	principal := jobmanager.Principal{Name: "ann", Token: jobmanager.NewToken(secret)}
	text, err := json.Marshal(principal)
	if err != nil {
		t.Fatal(err)
	}
	prints := []string{string(text), principal.Token.LogValue().String()}
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%d"} {
		prints = append(prints, fmt.Sprintf(verb, principal), fmt.Sprintf(verb, principal.Token), fmt.Sprintf(verb, &principal))
	}
	for _, print := range prints {
		if strings.Contains(print, secret) || strings.Contains(print, fmt.Sprintf("%x", secret)) {
			t.Errorf("the token shows in %s", print)
		}
	}
	if principal.Token.Reveal() != secret {
		t.Error("the token is lost")
	}
}

func TestOnlyUUIDsAreIDs(t *testing.T) {
	t.Parallel()
	id, err := jobmanager.ParseID("0190C5A2-7B1E-7C3D-9F00-5B8D3E1A2C44")
	if err != nil || id != "0190c5a2-7b1e-7c3d-9f00-5b8d3e1a2c44" {
		t.Errorf("%s, %v", id, err)
	}
	for _, text := range []string{"", "7", "0190c5a2-7b1e-7c3d-9f00-5b8d3e1a2c4", "0190c5a27b1e-7c3d-9f00-5b8d3e1a2c4400", "zzzzzzzz-7b1e-7c3d-9f00-5b8d3e1a2c44", strings.Repeat("a", 1000)} {
		if _, err := jobmanager.ParseID(text); jobmanager.CodeOf(err) != jobmanager.CodeInvalid {
			t.Errorf("%.40q: %v", text, err)
		}
	}
}

func TestCursorsComeBackAsTheyWent(t *testing.T) {
	t.Parallel()
	incarnation, revision, err := jobmanager.NewCursor("7f.1", 42).Parse()
	if incarnation != "7f.1" || revision != 42 || err != nil {
		t.Errorf("%s %d %v", incarnation, revision, err)
	}
	for _, text := range []jobmanager.Cursor{"", "42", ":42", "x:", "x:-1", "x:y", "x:1:2"} {
		if _, _, err := text.Parse(); jobmanager.CodeOf(err) != jobmanager.CodeInvalid {
			t.Errorf("%q: %v", text, err)
		}
	}
}

func TestErrorsShowASentenceAndKeepTheCause(t *testing.T) {
	t.Parallel()
	cause := errors.New("connection refused")
	err := fmt.Errorf("claim job 7: %w", jobmanager.Wrap(jobmanager.CodeUnavailable, cause, "the database does not answer"))
	var ours *jobmanager.Error
	if !errors.As(err, &ours) || ours.Message != "the database does not answer" || !errors.Is(err, cause) {
		t.Errorf("%v", err)
	}
	if jobmanager.CodeOf(err) != jobmanager.CodeUnavailable || ours.Kind() != jobmanager.KindUnavailable {
		t.Errorf("code %s, kind %s", jobmanager.CodeOf(err), ours.Kind())
	}
	if jobmanager.CodeOf(cause) != jobmanager.CodeInternal || jobmanager.CodeOf(nil) != "" {
		t.Error("an error that is not ours must be INTERNAL, none must have no code")
	}
}

func TestRightsAreRoles(t *testing.T) {
	t.Parallel()
	agent := jobmanager.Principal{Name: "a", Roles: []jobmanager.Role{jobmanager.RoleAgent}}
	for _, test := range []struct {
		who  jobmanager.Principal
		role jobmanager.Role
		want jobmanager.Code
	}{
		{jobmanager.LocalAdmin(), jobmanager.RoleIntegrator, ""},
		{agent, jobmanager.RoleAgent, ""},
		{agent, jobmanager.RoleIntegrator, jobmanager.CodeForbidden},
		{jobmanager.Principal{}, jobmanager.RoleViewer, jobmanager.CodeUnauthenticated},
	} {
		if code := jobmanager.CodeOf(test.who.Need(test.role)); code != test.want {
			t.Errorf("%s as %s: %q, want %q", test.who.Name, test.role, code, test.want)
		}
	}
}

func TestMatchesAreSettledByWhatFits(t *testing.T) {
	t.Parallel()
	descriptor := jobmanager.Descriptor{Name: "app", Components: []jobmanager.Component{
		{Name: "web", Type: "docker", Manifests: []jobmanager.Manifest{{Name: "m", Text: "a: 1"}}},
	}}
	ocm, nuvla := jobmanager.Target{Cluster: "c", Orchestrator: "ocm"}, jobmanager.Target{Cluster: "n", Orchestrator: "nuvla"}
	tests := map[string]struct {
		match []jobmanager.Match
		hold  jobmanager.HoldReason
		on    string
	}{
		"the first that fits":    {[]jobmanager.Match{{Component: "web", Targets: []jobmanager.Target{ocm, nuvla}}}, "", "n"},
		"none fits":              {[]jobmanager.Match{{Component: "web", Targets: []jobmanager.Target{ocm}}}, jobmanager.HoldNoFittingTarget, ""},
		"no target":              {[]jobmanager.Match{{Component: "web", Reason: "too small"}}, jobmanager.HoldNoTarget, ""},
		"the Matchmaker is down": {nil, jobmanager.HoldNoTarget, ""},
	}
	unasked, _ := jobmanager.NewJobGroup(jobmanager.Submission{Descriptor: descriptor}, jobmanager.DefaultLifeCycle(), func() jobmanager.ID { return "" }, start)
	if j := unasked.Jobs[0]; j.Hold != jobmanager.HoldNoTarget || !j.NotBefore.Equal(start) || j.HoldMessage != "the Matchmaker is asked for a target" {
		t.Errorf("before anybody asked it waits for %q at %s: %s", j.Hold, j.NotBefore, j.HoldMessage)
	}
	bare := jobmanager.Descriptor{Name: "app", Components: []jobmanager.Component{{Name: "web"}}}
	g, _ := jobmanager.NewJobGroup(jobmanager.Submission{Descriptor: bare}, jobmanager.DefaultLifeCycle(), func() jobmanager.ID { return "" }, start)
	if g.Jobs[0].Hold != jobmanager.HoldNoManifests {
		t.Errorf("without manifests and target it is held by %q", g.Jobs[0].Hold)
	}
	for name, test := range tests {
		next := 0
		ids := func() jobmanager.ID { next++; return jobmanager.ID(fmt.Sprintf("00000000-0000-7000-8000-%012d", next)) }
		g, events := jobmanager.NewJobGroup(jobmanager.Submission{Descriptor: descriptor, Matches: test.match, Unanswered: "it is down"}, jobmanager.DefaultLifeCycle(), ids, start)
		j := g.Jobs[0]
		if j.Hold != test.hold || (j.Target != nil && j.Target.Cluster != test.on) || (j.Target == nil) != (test.on == "") || len(events) != 2 {
			t.Errorf("%s: hold %q, target %+v, %d events", name, j.Hold, j.Target, len(events))
		}
		if j.Hold != "" && !j.NotBefore.Equal(start.Add(10*time.Second)) {
			t.Errorf("%s: matched again at %s", name, j.NotBefore)
		}
	}
}
