package demo

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// dying is a server that dies in the middle of its first two answers.
func dying(t *testing.T) (*client, *atomic.Int32) {
	t.Helper()
	calls := &atomic.Int32{}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body) // a request that was read is not sent again by the client's library
		switch calls.Add(1) {
		case 1:
			panic(http.ErrAbortHandler) //nolint:forbidigo // how net/http is told to cut the connection
		case 2:
			w.Header().Set("Content-Length", "1000")
			_, _ = io.WriteString(w, `{"data":{"jobGroup"`) // the client sees that it ends early
		default:
			_, _ = io.WriteString(w, `{"data":{"jobGroup":{"name":"town","phase":"RUNNING"}}}`)
		}
	}))
	t.Cleanup(server.Close)
	return &client{url: server.URL, http: &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}}, calls
}

func TestTableIsShownThoughTheServerDiesMeanwhile(t *testing.T) {
	t.Parallel()
	api, calls := dying(t)
	var out strings.Builder
	if err := api.table(t.Context(), "7", &narrator{out: &out}); err != nil {
		t.Fatal(err)
	}
	if calls.Load() != 3 || !strings.Contains(out.String(), "town is RUNNING") {
		t.Errorf("after %d calls it shows %q", calls.Load(), out.String())
	}
}

func TestServerThatStaysAwayEndsWithTheDemo(t *testing.T) {
	t.Parallel()
	over := errors.New("over")
	ctx, stop := context.WithCancelCause(t.Context())
	server := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {
		stop(over)
		panic(http.ErrAbortHandler) //nolint:forbidigo // how net/http is told to cut the connection
	}))
	defer server.Close()
	api := &client{url: server.URL, http: &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}}
	if err := api.table(ctx, "7", &narrator{out: io.Discard}); !errors.Is(err, over) {
		t.Errorf("it ended with %v", err)
	}
}

func TestServerThatIsSilentIsToldAsThat(t *testing.T) {
	t.Parallel()
	server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body) // only then it notices that the client has gone
		<-r.Context().Done()
	}))
	defer server.Close()
	api := &client{url: server.URL, http: &http.Client{Timeout: 50 * time.Millisecond, Transport: &http.Transport{DisableKeepAlives: true}}}
	if err := api.table(t.Context(), "7", &narrator{out: io.Discard}); err == nil || !strings.Contains(err.Error(), "does not answer") {
		t.Errorf("it ended with %v", err)
	}
}
