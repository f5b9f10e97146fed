package rest

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/icos-jobmanager/jobmanager/internal/jobmanager"
)

// numbers is a list of the numbers below n, whose cursors are the numbers themselves; it breaks where breaks says.
func numbers(most, n, breaks int) pager {
	return pager{most, func(_ context.Context, _ jobmanager.Principal, request jobmanager.PageRequest) (page, error) {
		from := 0
		if request.After != "" {
			after, err := strconv.Atoi(request.After)
			if err != nil {
				return page{}, jobmanager.Errorf(jobmanager.CodeInvalid, "no cursor")
			}
			from = after + 1
		}
		var p page
		for i := from; i < min(n, from+request.First); i++ {
			if i == breaks {
				return page{}, errors.New("the database is gone")
			}
			p.items = append(p.items, i)
		}
		if from+request.First < n {
			p.next = strconv.Itoa(from + request.First - 1)
		}
		return p, nil
	}}
}

// got is an answer as it came.
type got struct {
	status int
	header http.Header
	body   string
	// broken says how it ended before its end.
	broken error
}

// listed serves a list over a connection and gives what came.
func listed(t *testing.T, d *Door, of pager, query string) got {
	t.Helper()
	server := httptest.NewServer(d.list(of))
	defer server.Close()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, server.URL+"/jobmanager/jobs"+query, nil)
	if err != nil {
		t.Fatal(err)
	}
	response, err := server.Client().Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = response.Body.Close() }() // it was read to its end
	body, err := io.ReadAll(response.Body)
	return got{response.StatusCode, response.Header, string(body), err}
}

func TestAListIsWholeUnlessAPageIsAskedFor(t *testing.T) {
	t.Parallel()
	const none = -1
	for query, test := range map[string]struct{ body, link, next string }{
		"":                 {"[0,1,2,3,4,5,6]\n", "", ""},
		"?limit=&after=":   {"[0,1,2,3,4,5,6]\n", "", ""},
		"?state=1":         {"[0,1,2,3,4,5,6]\n", "", ""},
		"?limit=3":         {"[0,1,2]\n", `</jobmanager/jobs?after=2&limit=3>; rel="next"`, "2"},
		"?limit=3&after=2": {"[3,4,5]\n", `</jobmanager/jobs?after=5&limit=3>; rel="next"`, "5"},
		"?limit=3&after=5": {"[6]\n", "", ""},
		"?after=2":         {"[3,4,5,6]\n", "", ""},
		"?limit=7":         {"[0,1,2,3,4,5,6]\n", "", ""},
		"?after=6":         {"[]\n", "", ""},
	} {
		t.Run(query, func(t *testing.T) {
			t.Parallel()
			came := listed(t, quiet(t, nil), numbers(2, 7, none), query)
			shown := struct{ body, link, next string }{came.body, came.header.Get("Link"), came.header.Get("X-Next-After")}
			if came.broken != nil || came.status != http.StatusOK || shown != test {
				t.Errorf("%+v, want %+v", came, test)
			}
		})
	}
	if came := listed(t, quiet(t, nil), numbers(2, 0, none), ""); came.body != "[]\n" {
		t.Errorf("an empty list is %+v", came)
	}
}

func TestAPageThatIsNoneIsRefused(t *testing.T) {
	t.Parallel()
	for _, query := range []string{"?limit=0", "?limit=-1", "?limit=501", "?limit=many", "?limit=1&after=x"} {
		came := listed(t, quiet(t, nil), numbers(2, 7, 9), query)
		if came.broken != nil || came.status != http.StatusBadRequest || !strings.HasPrefix(came.body, `{"error":"`) {
			t.Errorf("%s: %+v", query, came)
		}
	}
}

// TestAListThatBreaksIsNoWholeAnswer breaks a list before and after its first byte.
func TestAListThatBreaksIsNoWholeAnswer(t *testing.T) {
	t.Parallel()
	log := &bytes.Buffer{}
	came := listed(t, quiet(t, log), numbers(2, 7, 0), "")
	if came.broken != nil || came.status != http.StatusInternalServerError || strings.Contains(came.body, "gone") || !strings.Contains(log.String(), "gone") {
		t.Errorf("at once: %+v; logged %s", came, log)
	}
	log.Reset()
	came = listed(t, quiet(t, log), numbers(2, 7, 5), "")
	if came.broken == nil || json.Valid([]byte(came.body)) || !strings.Contains(log.String(), "gone") {
		t.Errorf("later: %+v; logged %s", came, log)
	}
}

// TestAListIsReadPageByPage holds what a whole list takes of memory: a page is read when the former was sent.
func TestAListIsReadPageByPage(t *testing.T) {
	t.Parallel()
	var asked []jobmanager.PageRequest
	of := numbers(3, 7, 9)
	read := of.read
	of.read = func(ctx context.Context, p jobmanager.Principal, request jobmanager.PageRequest) (page, error) {
		asked = append(asked, request)
		return read(ctx, p, request)
	}
	came := listed(t, quiet(t, nil), of, "")
	want := []jobmanager.PageRequest{{First: 3}, {First: 3, After: "2"}, {First: 3, After: "5"}}
	if diff := cmp.Diff(want, asked); diff != "" || came.body != "[0,1,2,3,4,5,6]\n" {
		t.Errorf("%+v, -want +got:\n%s", came, diff)
	}
}
