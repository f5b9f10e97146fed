package rest_test

import (
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"maps"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// transcript records requests and answers as a golden file holds them. What is random is given a name.
type transcript struct {
	t    testing.TB
	mu   sync.Mutex // guards the fields below
	text strings.Builder
	// names of the ids that were seen.
	names map[string]string
	// lost says what becomes of the next calls: see drop.
	lost []string
}

func newTranscript(t testing.TB) *transcript {
	return &transcript{t: t, names: map[string]string{}}
}

// chapter begins a part of the session, a little later than the one before.
func (f *oldFleet) chapter(title string) {
	f.clock.Advance(1250 * time.Millisecond)
	f.transcript.mu.Lock()
	defer f.transcript.mu.Unlock()
	fmt.Fprintf(&f.transcript.text, "## %s\n\n", title)
}

// drop breaks the connections of the next calls, so many times: before the server gets the request, or after it
// answered.
func (r *transcript) drop(when string, times int) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.lost = slices.Repeat([]string{when}, times)
}

const (
	beforeTheServer = "before"
	afterTheServer  = "after"
)

// RoundTrip sends a request and records it with its answer.
func (r *transcript) RoundTrip(request *http.Request) (*http.Response, error) {
	var sent []byte
	if request.Body != nil {
		var err error
		if sent, err = io.ReadAll(request.Body); err != nil {
			return nil, err
		}
		request.Body = io.NopCloser(bytes.NewReader(sent))
	}
	lost := r.takeLost()
	if lost == beforeTheServer {
		return nil, fmt.Errorf("the test broke the connection %s the server", lost)
	}
	response, err := http.DefaultTransport.RoundTrip(request)
	if err != nil {
		return nil, err
	}
	got, err := io.ReadAll(response.Body)
	_ = response.Body.Close() // it was read to its end
	if err != nil {
		return nil, err
	}
	response.Body = io.NopCloser(bytes.NewReader(got))
	r.record(request, sent, response, got)
	if lost == afterTheServer {
		return nil, fmt.Errorf("the test broke the connection %s the server", lost)
	}
	return response, nil
}

func (r *transcript) takeLost() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.lost) == 0 {
		return ""
	}
	next := r.lost[0]
	r.lost = r.lost[1:]
	return next
}

func (r *transcript) record(request *http.Request, sent []byte, response *http.Response, got []byte) {
	r.mu.Lock()
	defer r.mu.Unlock()
	fmt.Fprintf(&r.text, "> %s %s\n", request.Method, r.named(request.URL.RequestURI()))
	for _, name := range slices.Sorted(maps.Keys(request.Header)) {
		value := request.Header.Get(name)
		if name == "Authorization" && len(value) > len("Bearer ") {
			value = "Bearer <token>"
		}
		fmt.Fprintf(&r.text, "> %s: %s\n", name, strings.TrimRight(value, " "))
	}
	if len(sent) > 0 {
		fmt.Fprintf(&r.text, ">\n> | %s\n", strings.ReplaceAll(r.named(string(sent)), "\n", "\n> | "))
	}
	fmt.Fprintf(&r.text, "\n< %d\n", response.StatusCode)
	if kind := response.Header.Get("Content-Type"); kind != "" {
		fmt.Fprintf(&r.text, "< Content-Type: %s\n", kind)
	}
	if len(got) > 0 {
		fmt.Fprintf(&r.text, "<\n%s\n", r.named(readable(got)))
	}
	r.text.WriteString("\n")
}

// readable breaks JSON into lines, in the order and the spelling in which it came.
func readable(body []byte) string {
	var lines bytes.Buffer
	if json.Indent(&lines, body, "", "  ") != nil {
		return string(body)
	}
	if !bytes.HasSuffix(body, []byte("\n")) {
		lines.WriteString("\n(without a line's end)")
	}
	return strings.TrimRight(lines.String(), "\n")
}

// named puts names in the place of ids, but for those that the session's descriptor names.
func (r *transcript) named(text string) string {
	ids := regexp.MustCompile(`(?:nuvlabox/)?[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}`)
	return ids.ReplaceAllStringFunc(text, func(id string) string {
		if strings.HasPrefix(id, "nuvlabox/") || strings.HasPrefix(id, "00000000-") {
			return id
		}
		if r.names[id] == "" {
			r.names[id] = fmt.Sprintf("<id %d>", len(r.names)+1)
		}
		return r.names[id]
	})
}

// update writes the golden files instead of comparing.
var update = flag.Bool("update", false, "write the golden files of testdata anew")

// compare holds the session against its golden file.
func (r *transcript) compare(client string) {
	r.t.Helper()
	path, got := filepath.Join("testdata", "session_"+client+".golden"), r.text.String()
	if *update {
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			r.t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		r.t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		r.t.Errorf("the session is not as in %s; go test ./rest -update writes it anew (-want +got):\n%s", path, diff)
	}
}
