package policymanager_test

import (
	"context"
	"errors"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"

	"github.com/icos-jobmanager/jobmanager/internal/jobmanager"
	"github.com/icos-jobmanager/jobmanager/internal/policymanager"
	"github.com/icos-jobmanager/jobmanager/internal/testkit"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const (
	secret     = "eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiJqb2IifQ.c2lnbmF0dXJl"
	shop       = jobmanager.ID("0190c5a2-7b1e-7c3d-9f00-5b8d3e1a2c44")
	descriptor = "# of the shop\nname: shop\ndescription: sells\ncomponents:\n- name: web\n  type: kubernetes\n---\nkind: Pod\n"
)

func newClient(t *testing.T, config policymanager.Config) *policymanager.Client {
	t.Helper()
	c, err := policymanager.New(config)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c
}

// tell sends one notice about the shop with the token.
func tell(t *testing.T, c *policymanager.Client, kind jobmanager.NoticeKind) error {
	t.Helper()
	return c.Notify(t.Context(), jobmanager.Notice{GroupID: shop, Kind: kind, Descriptor: descriptor}, jobmanager.NewToken(secret))
}

// wantError checks code and sentence, and that the token is nowhere.
func wantError(t *testing.T, err error, code jobmanager.Code, parts ...string) {
	t.Helper()
	ours, ok := err.(*jobmanager.Error) //nolint:errorlint // the error itself must be ours, not one inside it
	if !ok || ours.Code != code {
		t.Fatalf("got %v (%s), want code %s", err, jobmanager.CodeOf(err), code)
	}
	for _, part := range parts {
		if !strings.Contains(ours.Message, part) {
			t.Errorf("the sentence %q lacks %q", ours.Message, part)
		}
	}
	if strings.Contains(err.Error(), secret) {
		t.Errorf("the token stands in %q", err)
	}
	if strings.Contains(ours.Message, "dial tcp") || len(ours.Message) > 700 {
		t.Errorf("the sentence is not for people: %q", ours.Message)
	}
}

func TestEachNoticeIsTheEventThatThePeerReads(t *testing.T) {
	t.Parallel()
	const rest = `"app_instance":"` + string(shop) + `","service":"job-manager"`
	text := strings.ReplaceAll(descriptor, "\n", `\n`)
	peer := (&testkit.PolicyManager{RequireToken: true}).Start(t)
	c := newClient(t, policymanager.Config{BaseURL: peer.URL})
	wanted := map[jobmanager.NoticeKind]string{
		jobmanager.NoticeCreated: `{"event":"created",` + rest + `,"app_descriptor":"` + text + `",` +
			`"callback":{"type":"icos-service","uri":"/jobmanager/policies/incompliance","http_method":"POST",` +
			`"include_access_token":true,"extra_params":{}}}`,
		jobmanager.NoticeStarted: `{"event":"started",` + rest + `}`,
		jobmanager.NoticeStopped: `{"event":"stopped",` + rest + `}`,
		jobmanager.NoticeDeleted: `{"event":"deleted",` + rest + `}`,
	}
	var want []testkit.PolicyManagerCall
	for _, kind := range []jobmanager.NoticeKind{"created", "started", "stopped", "deleted"} {
		if err := tell(t, c, kind); err != nil {
			t.Fatalf("%s: %v", kind, err)
		}
		want = append(want, testkit.PolicyManagerCall{
			Authorization: "Bearer " + secret, Event: kind, AppInstance: shop, Body: wanted[kind], Status: http.StatusOK,
		})
	}
	if diff := cmp.Diff(want, peer.Calls()); diff != "" {
		t.Error(diff)
	}
}

func TestPeerFollowsTheLifeOfAGroup(t *testing.T) {
	t.Parallel()
	peer := (&testkit.PolicyManager{}).Start(t)
	c := newClient(t, policymanager.Config{BaseURL: peer.URL})
	for _, step := range []struct {
		kind          jobmanager.NoticeKind
		known, active bool
	}{
		{"deleted", false, false}, {"created", true, false}, {"started", true, true}, {"started", true, true},
		{"stopped", true, false}, {"started", true, true}, {"deleted", false, false}, {"deleted", false, false},
	} {
		if err := tell(t, c, step.kind); err != nil {
			t.Fatalf("%s: %v", step.kind, err)
		}
		app, known := peer.App(shop)
		if known != step.known || app.Active != step.active || (known && app.Descriptor != descriptor) {
			t.Errorf("after %s it is known: %t, %+v", step.kind, known, app)
		}
	}
}

func TestBothBaseAddressesLeadToTheSamePath(t *testing.T) {
	t.Parallel()
	peer := (&testkit.PolicyManager{}).Start(t)
	for _, end := range []string{"", "/", "/polman", "/polman/"} {
		if err := tell(t, newClient(t, policymanager.Config{BaseURL: peer.URL + end}), jobmanager.NoticeDeleted); err != nil {
			t.Errorf("%q: %v", end, err)
		}
	}
	if calls := peer.Calls(); len(calls) != 4 {
		t.Errorf("the peer was told %d times", len(calls))
	}
}

func TestCallbackIsWhatIsConfigured(t *testing.T) {
	t.Parallel()
	peer := (&testkit.PolicyManager{}).Start(t)
	if err := tell(t, newClient(t, policymanager.Config{BaseURL: peer.URL, Callback: "/elsewhere/report"}), jobmanager.NoticeCreated); err != nil {
		t.Fatal(err)
	}
	if body := peer.Calls()[0].Body; !strings.Contains(body, `"uri":"/elsewhere/report"`) {
		t.Error(body)
	}
}

func TestNoTokenSendsNoHeader(t *testing.T) {
	t.Parallel()
	peer := (&testkit.PolicyManager{}).Start(t)
	notice := jobmanager.Notice{GroupID: shop, Kind: jobmanager.NoticeDeleted}
	if err := newClient(t, policymanager.Config{BaseURL: peer.URL}).Notify(t.Context(), notice, jobmanager.Token{}); err != nil {
		t.Fatal(err)
	}
	if got := peer.Calls()[0].Authorization; got != "" {
		t.Errorf("Authorization is %q", got)
	}
}

func TestNoTokenWhereOneIsWantedSaysSo(t *testing.T) {
	t.Parallel()
	peer := (&testkit.PolicyManager{RequireToken: true}).Start(t)
	notice := jobmanager.Notice{GroupID: shop, Kind: jobmanager.NoticeDeleted}
	err := newClient(t, policymanager.Config{BaseURL: peer.URL}).Notify(t.Context(), notice, jobmanager.Token{})
	wantError(t, err, jobmanager.CodeUnauthenticated, "wants a token", "no token was sent")
}

func TestGroupWithoutItsDescriptorIsNotTold(t *testing.T) {
	t.Parallel()
	peer := (&testkit.PolicyManager{}).Start(t)
	notice := jobmanager.Notice{GroupID: shop, Kind: jobmanager.NoticeCreated}
	err := newClient(t, policymanager.Config{BaseURL: peer.URL}).Notify(t.Context(), notice, jobmanager.Token{})
	wantError(t, err, jobmanager.CodeInvalid, "descriptor is gone")
	if calls := peer.Calls(); len(calls) != 0 {
		t.Errorf("the peer was told %v", calls)
	}
}

func TestBadConfigurationIsRefused(t *testing.T) {
	t.Parallel()
	for _, base := range []string{"", "polman:8000", "/polman", "ftp://polman", "http://", "http://u:hidden@[x", "http://m?a=b", "http://m#a"} {
		_, err := policymanager.New(policymanager.Config{BaseURL: base})
		wantError(t, err, jobmanager.CodeInvalid, "POLICYMANAGER_URL")
		if strings.Contains(err.Error(), "hidden") {
			t.Errorf("the password stands in %q", err)
		}
	}
	for _, callback := range []string{"jobmanager/policies", "http://jobs/policies", "//jobs/policies", "/%zz"} {
		_, err := policymanager.New(policymanager.Config{BaseURL: "http://polman", Callback: callback})
		wantError(t, err, jobmanager.CodeInvalid, "callback", "/jobmanager/policies/incompliance")
	}
}

func TestLostAnswerIsUnavailableAndIsNotSentAgain(t *testing.T) {
	t.Parallel()
	peer := (&testkit.PolicyManager{}).Start(t)
	c := newClient(t, policymanager.Config{BaseURL: peer.URL})
	peer.Lose(1)
	wantError(t, tell(t, c, jobmanager.NoticeCreated), jobmanager.CodeUnavailable, "cannot be reached")
	if _, known := peer.App(shop); !known || len(peer.Calls()) != 1 || peer.Await(t, 1).Status != 0 {
		t.Errorf("the peer was told %v", peer.Calls())
	}
	wantError(t, tell(t, c, jobmanager.NoticeCreated), jobmanager.CodeInvalid, "409", "was created before")
	for _, kind := range []jobmanager.NoticeKind{jobmanager.NoticeDeleted, jobmanager.NoticeCreated} {
		if err := tell(t, c, kind); err != nil {
			t.Errorf("%s: %v", kind, err)
		}
	}
}

func TestRedirectIsNotFollowed(t *testing.T) {
	t.Parallel()
	elsewhere := (&testkit.PolicyManager{}).Start(t)
	peer := httptest.NewServer(http.RedirectHandler(elsewhere.URL+"/polman/registry/api/v1/icos/app", http.StatusTemporaryRedirect))
	t.Cleanup(peer.Close)
	err := tell(t, newClient(t, policymanager.Config{BaseURL: peer.URL}), jobmanager.NoticeDeleted)
	wantError(t, err, jobmanager.CodeUnavailable, "redirects", "307", "POLICYMANAGER_URL")
	if len(elsewhere.Calls()) != 0 {
		t.Error("the redirect was followed")
	}
}

func TestSilentPeerTimesOut(t *testing.T) {
	t.Parallel()
	peer := (&testkit.PolicyManager{}).Start(t)
	peer.Fail(0, 1)
	err := tell(t, newClient(t, policymanager.Config{BaseURL: peer.URL, Timeout: 30 * time.Millisecond}), jobmanager.NoticeStarted)
	wantError(t, err, jobmanager.CodeUnavailable, "did not answer within 30ms")
}

func TestCallersPatienceIsHonoured(t *testing.T) {
	t.Parallel()
	peer := (&testkit.PolicyManager{}).Start(t)
	c := newClient(t, policymanager.Config{BaseURL: peer.URL, Timeout: time.Hour})
	notice := jobmanager.Notice{GroupID: shop, Kind: jobmanager.NoticeStarted}
	peer.Fail(0, 2)

	short, cancel := context.WithTimeout(t.Context(), 30*time.Millisecond)
	defer cancel()
	err := c.Notify(short, notice, jobmanager.NewToken(secret))
	wantError(t, err, jobmanager.CodeUnavailable, "did not answer in time")
	if !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("the cause is lost: %v", err)
	}

	stopping, stop := context.WithCancel(t.Context())
	failure := make(chan error)
	go func() { failure <- c.Notify(stopping, notice, jobmanager.NewToken(secret)) }()
	peer.Await(t, 2)
	stop()
	wantError(t, <-failure, jobmanager.CodeUnavailable, "given up before")
}

func TestNobodyThereIsUnavailable(t *testing.T) {
	t.Parallel()
	peer := httptest.NewServer(http.NotFoundHandler())
	peer.Close()
	err := tell(t, newClient(t, policymanager.Config{BaseURL: peer.URL}), jobmanager.NoticeDeleted)
	wantError(t, err, jobmanager.CodeUnavailable, "cannot be reached", "POLICYMANAGER_URL")
}

func TestFailureEndsAsItWasAskedTo(t *testing.T) {
	t.Parallel()
	peer := (&testkit.PolicyManager{}).Start(t)
	c := newClient(t, policymanager.Config{BaseURL: peer.URL})
	peer.Fail(http.StatusServiceUnavailable, 2)
	for range 2 {
		wantError(t, tell(t, c, jobmanager.NoticeCreated), jobmanager.CodeUnavailable, "503", "told to fail")
	}
	if err := tell(t, c, jobmanager.NoticeCreated); err != nil {
		t.Error(err)
	}
	peer.Fail(http.StatusServiceUnavailable, 9)
	peer.Fail(0, 0)
	if err := tell(t, c, jobmanager.NoticeStarted); err != nil {
		t.Error(err)
	}
	for i, want := range []int{503, 503, 200, 200} {
		if got := peer.Await(t, i+1).Status; got != want {
			t.Errorf("call %d was answered %d, want %d", i+1, got, want)
		}
	}
}

func TestCloseEndsTheOneConnectionThatAllCallsShared(t *testing.T) {
	t.Parallel()
	states := make(chan http.ConnState, 100)
	peer := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte("[]")) }))
	peer.Config.ConnState = func(_ net.Conn, state http.ConnState) { states <- state }
	peer.Start()
	t.Cleanup(peer.Close)
	c := newClient(t, policymanager.Config{BaseURL: peer.URL})
	for range 3 {
		if err := tell(t, c, jobmanager.NoticeDeleted); err != nil {
			t.Fatal(err)
		}
	}
	c.Close()
	opened := 0
	for state := range states {
		if state == http.StateNew {
			opened++
		}
		if state == http.StateClosed {
			break
		}
	}
	if opened != 1 {
		t.Errorf("%d connections were opened", opened)
	}
}
