package matchmaker_test

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"

	"github.com/icos-jobmanager/jobmanager/internal/jobmanager"
	"github.com/icos-jobmanager/jobmanager/internal/matchmaker"
	"github.com/icos-jobmanager/jobmanager/internal/testkit"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const secret = "eyJhbGciOiJSUzI1NiJ9.eyJzdWIiOiJhbm5hIn0.c2lnbmF0dXJl"

// two is a descriptor of two components, and its text.
const twoText = "name: shop\ncomponents:\n- name: web\n  cpu: 1\n- name: db\n"

func two() jobmanager.Descriptor {
	return jobmanager.Descriptor{Name: "shop", Components: []jobmanager.Component{{Name: "web"}, {Name: "db"}}}
}

func newHTTP(t *testing.T, url string, timeout time.Duration) *matchmaker.HTTP {
	t.Helper()
	h, err := matchmaker.NewHTTP(matchmaker.HTTPConfig{BaseURL: url, Timeout: timeout})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(h.Close)
	return h
}

// ask lets a peer answer two() with this status and body.
func ask(t *testing.T, status int, body string) ([]jobmanager.Match, error) {
	t.Helper()
	peer := (&testkit.Matchmaker{Answer: func(string) (int, string) { return status, body }}).Start(t)
	return newHTTP(t, peer.URL, 0).Match(t.Context(), two(), twoText, jobmanager.NewToken(secret))
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
	if len(ours.Message) > 1000 {
		t.Errorf("the sentence is %d bytes long", len(ours.Message))
	}
}

func TestQuestionCarriesDescriptorTypeAndToken(t *testing.T) {
	t.Parallel()
	peer := (&testkit.Matchmaker{RequireToken: true}).Start(t)
	matches, err := newHTTP(t, peer.URL+"/", 0).Match(t.Context(), two(), twoText, jobmanager.NewToken(secret))
	if err != nil {
		t.Fatal(err)
	}
	target := []jobmanager.Target{testkit.MatchmakerTarget()}
	want := []jobmanager.Match{{Component: "web", Targets: target}, {Component: "db", Targets: target}}
	if diff := cmp.Diff(want, matches); diff != "" {
		t.Error(diff)
	}
	asked := []testkit.MatchmakerRequest{{Authorization: "Bearer " + secret, ContentType: "application/x-yaml", Body: twoText}}
	if diff := cmp.Diff(asked, peer.Requests()); diff != "" {
		t.Error(diff)
	}
}

func TestNoTokenSendsNoHeader(t *testing.T) {
	t.Parallel()
	peer := (&testkit.Matchmaker{}).Start(t)
	if _, err := newHTTP(t, peer.URL, 0).Match(t.Context(), two(), twoText, jobmanager.Token{}); err != nil {
		t.Fatal(err)
	}
	if got := peer.Requests()[0].Authorization; got != "" {
		t.Errorf("Authorization is %q", got)
	}
}

func TestNoTokenWhereOneIsWantedSaysSo(t *testing.T) {
	t.Parallel()
	peer := (&testkit.Matchmaker{RequireToken: true}).Start(t)
	_, err := newHTTP(t, peer.URL, 0).Match(t.Context(), two(), twoText, jobmanager.Token{})
	wantError(t, err, jobmanager.CodeUnauthenticated, "none was sent", "Not authenticated")
}

func TestPinsWinOverTheAnswer(t *testing.T) {
	t.Parallel()
	pin := jobmanager.Target{Cluster: "mine", Orchestrator: "nuvla"}
	descriptor := two()
	descriptor.Components[1].Pins = []jobmanager.Target{pin}
	for name, body := range map[string]string{
		"answered otherwise": `{"components":[{"name":"web","targets":[]},{"name":"db","targets":{"cluster_name":"c","orchestrator":"ocm"}}]}`,
		"answered broken":    `{"components":[{"name":"web","targets":[]},{"name":"db","targets":7}]}`,
		"left out":           `{"components":[{"name":"web","targets":[]}]}`,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			peer := (&testkit.Matchmaker{Answer: func(string) (int, string) { return 200, body }}).Start(t)
			matches, err := newHTTP(t, peer.URL, 0).Match(t.Context(), descriptor, twoText, jobmanager.Token{})
			if err != nil {
				t.Fatal(err)
			}
			want := []jobmanager.Target{{Cluster: "mine", Orchestrator: "nuvla", Pinned: true}}
			if diff := cmp.Diff(want, matches[1].Targets); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestEverythingPinnedAsksNobody(t *testing.T) {
	t.Parallel()
	peer := (&testkit.Matchmaker{}).Start(t)
	descriptor := two()
	for i := range descriptor.Components {
		descriptor.Components[i].Pins = []jobmanager.Target{{Cluster: "mine", Orchestrator: "ocm"}}
	}
	matches, err := newHTTP(t, peer.URL, 0).Match(t.Context(), descriptor, twoText, jobmanager.Token{})
	if err != nil || len(matches) != 2 || !matches[0].Targets[0].Pinned || descriptor.Components[0].Pins[0].Pinned {
		t.Errorf("got %v, %v; the descriptor's own pins are %v", matches, err, descriptor.Components[0].Pins)
	}
	if asked := peer.Requests(); len(asked) != 0 {
		t.Errorf("the peer was asked %d times", len(asked))
	}
}

func TestRedirectIsNotFollowed(t *testing.T) {
	t.Parallel()
	elsewhere := (&testkit.Matchmaker{}).Start(t)
	peer := httptest.NewServer(http.RedirectHandler(elsewhere.URL+"/matchmake", http.StatusTemporaryRedirect))
	t.Cleanup(peer.Close)
	_, err := newHTTP(t, peer.URL, 0).Match(t.Context(), two(), twoText, jobmanager.NewToken(secret))
	wantError(t, err, jobmanager.CodeUnavailable, "redirects", "307", "MATCHMAKING_URL")
	if len(elsewhere.Requests()) != 0 {
		t.Error("the redirect was followed")
	}
}

func TestSilentPeerTimesOut(t *testing.T) {
	t.Parallel()
	_, err := silent(t.Context(), t, 30*time.Millisecond)
	wantError(t, err, jobmanager.CodeUnavailable, "did not answer within 30ms")
}

func TestCallersDeadlineIsHonoured(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Millisecond)
	defer cancel()
	_, err := silent(ctx, t, time.Hour)
	wantError(t, err, jobmanager.CodeUnavailable, "the request ended")
	if !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("the cause is lost: %v", err)
	}
}

// silent asks a peer that never answers.
func silent(ctx context.Context, t *testing.T, timeout time.Duration) ([]jobmanager.Match, error) {
	t.Helper()
	peer := (&testkit.Matchmaker{Answer: func(string) (int, string) { return 0, "" }}).Start(t)
	return newHTTP(t, peer.URL, timeout).Match(ctx, two(), twoText, jobmanager.NewToken(secret))
}

func TestHalfAnAnswerTimesOut(t *testing.T) {
	t.Parallel()
	peer := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = w.Write([]byte(`{"components":[`))
		_ = http.NewResponseController(w).Flush()
		<-r.Context().Done()
	}))
	t.Cleanup(peer.Close)
	_, err := newHTTP(t, peer.URL, 50*time.Millisecond).Match(t.Context(), two(), twoText, jobmanager.Token{})
	wantError(t, err, jobmanager.CodeUnavailable, "did not answer within 50ms")
}

func TestCutConnectionIsUnavailable(t *testing.T) {
	t.Parallel()
	peer := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		connection, _, err := http.NewResponseController(w).Hijack()
		if err != nil {
			t.Error(err)
			return
		}
		_ = connection.Close()
	}))
	t.Cleanup(peer.Close)
	_, err := newHTTP(t, peer.URL, 0).Match(t.Context(), two(), twoText, jobmanager.Token{})
	wantError(t, err, jobmanager.CodeUnavailable, "cannot be reached")
}

func TestNobodyThereIsUnavailable(t *testing.T) {
	t.Parallel()
	peer := httptest.NewServer(http.NotFoundHandler())
	peer.Close()
	_, err := newHTTP(t, peer.URL, 0).Match(t.Context(), two(), twoText, jobmanager.Token{})
	wantError(t, err, jobmanager.CodeUnavailable, "cannot be reached", "MATCHMAKING_URL")
}

func TestBadBaseURLIsRefused(t *testing.T) {
	t.Parallel()
	for _, base := range []string{"", "matchmaker:8000", "/matchmaker", "ftp://matchmaker", "http://", "http://u:hidden@[x", "http://m?a=b"} {
		_, err := matchmaker.NewHTTP(matchmaker.HTTPConfig{BaseURL: base})
		wantError(t, err, jobmanager.CodeInvalid, "MATCHMAKING_URL")
		if strings.Contains(err.Error(), "hidden") {
			t.Errorf("the password stands in %q", err)
		}
	}
}

func TestGivenClientIsUsedAndNotChanged(t *testing.T) {
	t.Parallel()
	peer := (&testkit.Matchmaker{}).Start(t)
	transport := &http.Transport{}
	t.Cleanup(transport.CloseIdleConnections)
	used := 0
	given := &http.Client{Transport: roundTrip(func(r *http.Request) (*http.Response, error) {
		used++
		return transport.RoundTrip(r)
	})}
	h, err := matchmaker.NewHTTP(matchmaker.HTTPConfig{BaseURL: peer.URL, Client: given})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := h.Match(t.Context(), two(), twoText, jobmanager.Token{}); err != nil || used != 1 {
		t.Errorf("used %d times: %v", used, err)
	}
	if given.CheckRedirect != nil {
		t.Error("the given client was changed")
	}
}

type roundTrip func(*http.Request) (*http.Response, error)

func (f roundTrip) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

func TestDescriptorThatThePeerCannotReadIsUnavailable(t *testing.T) {
	t.Parallel()
	peer := (&testkit.Matchmaker{}).Start(t)
	for _, text := range []string{"", "name: shop", "components: [null]", "components: [", "components: [{1: 2}]"} {
		_, err := newHTTP(t, peer.URL, 0).Match(t.Context(), two(), text, jobmanager.Token{})
		wantError(t, err, jobmanager.CodeUnavailable)
	}
}
