package graphiql_test

import (
	"bufio"
	"crypto/sha256"
	"encoding/hex"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/icos-jobmanager/jobmanager/graph/graphiql"
)

func get(t *testing.T, method, path, ifNoneMatch string) *httptest.ResponseRecorder {
	t.Helper()
	handler, err := graphiql.Handler()
	if err != nil {
		t.Fatal(err)
	}
	request := httptest.NewRequestWithContext(t.Context(), method, path, nil)
	request.Header.Set("If-None-Match", ifNoneMatch)
	recorder := httptest.NewRecorder()
	handler.ServeHTTP(recorder, request)
	return recorder
}

// checksums reads checksums.txt: the file's name to its sum.
func checksums(t *testing.T) map[string]string {
	t.Helper()
	list, err := os.Open("checksums.txt")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = list.Close() }()
	sums := map[string]string{}
	for lines := bufio.NewScanner(list); lines.Scan(); {
		sum, name, ok := strings.Cut(lines.Text(), "  ")
		if !ok {
			t.Fatalf("checksums.txt: line %q", lines.Text())
		}
		sums[name] = sum
	}
	return sums
}

func TestEveryAssetIsUnchangedAndHasItsLicence(t *testing.T) {
	t.Parallel()
	sums := checksums(t)
	names, err := filepath.Glob("assets/*")
	if err != nil || len(names) != len(sums) {
		t.Fatalf("there are %d assets and %d checksums (%v)", len(names), len(sums), err)
	}
	for name, want := range sums {
		served := get(t, "GET", "/graphiql/assets/"+name, "")
		sum := sha256.Sum256(served.Body.Bytes())
		if got := hex.EncodeToString(sum[:]); served.Code != 200 || got != want {
			t.Errorf("%s: status %d, sum %s, want %s", name, served.Code, got, want)
		}
		script, _, isScript := strings.Cut(name, ".")
		if _, licensed := sums[script+".LICENSE.txt"]; isScript && !licensed {
			t.Errorf("%s has no licence beside it", name)
		}
	}
}

func TestThePageNamesOnlyFilesThatAreServed(t *testing.T) {
	t.Parallel()
	page := get(t, "GET", "/graphiql", "").Body.String()
	references := regexp.MustCompile(`(?:src|href)="([^"]+)"`).FindAllStringSubmatch(page, -1)
	if len(references) < 7 {
		t.Fatalf("the page names %d files: %v", len(references), references)
	}
	for _, reference := range references {
		path := reference[1]
		if path == "data:," { // no icon
			continue
		}
		want := map[string]string{".js": "text/javascript; charset=utf-8", ".css": "text/css; charset=utf-8"}[filepath.Ext(path)]
		served := get(t, "GET", path, "")
		if got := served.Header().Get("Content-Type"); served.Code != 200 || want == "" || got != want {
			t.Errorf("%s: status %d, content type %q, want %q", path, served.Code, got, want)
		}
	}
}

func TestOurFilesNameNoOtherHost(t *testing.T) {
	t.Parallel()
	for _, path := range []string{"/graphiql", "/graphiql/start.js", "/graphiql/page.css"} {
		served := get(t, "GET", path, "")
		if served.Code != 200 || regexp.MustCompile(`(?:https?|wss?)://|["'(]//`).MatchString(served.Body.String()) {
			t.Errorf("%s: status %d, or an absolute address in it", path, served.Code)
		}
	}
}

func TestThePageIsServedAtBothSpellingsWithItsHeaders(t *testing.T) {
	t.Parallel()
	for _, path := range []string{"/graphiql", "/graphiql/", "/graphiql/index.html"} {
		served := get(t, "GET", path, "")
		header := served.Header()
		if served.Code != 200 || header.Get("Content-Type") != "text/html; charset=utf-8" {
			t.Errorf("%s: %d %v", path, served.Code, header)
		}
		policy := header.Get("Content-Security-Policy")
		for _, directive := range []string{"default-src 'none'", "script-src 'self';", "connect-src 'self'", "frame-ancestors 'none'"} {
			if !strings.Contains(policy, directive) {
				t.Errorf("%s: policy %q lacks %s", path, policy, directive)
			}
		}
		if strings.Contains(policy, "unsafe-") || header.Get("X-Content-Type-Options") != "nosniff" {
			t.Errorf("%s: headers %v", path, header)
		}
	}
}

func TestABrowserThatHasTheFileIsToldSo(t *testing.T) {
	t.Parallel()
	first := get(t, "GET", "/graphiql/assets/graphiql.min.js", "")
	if first.Header().Get("Cache-Control") != "no-cache" || first.Header().Get("ETag") == "" {
		t.Fatalf("headers %v", first.Header())
	}
	second := get(t, "GET", "/graphiql/assets/graphiql.min.js", first.Header().Get("ETag"))
	if second.Code != http.StatusNotModified || second.Body.Len() != 0 {
		t.Errorf("status %d with %d bytes", second.Code, second.Body.Len())
	}
}

func TestOtherRequestsAreRefused(t *testing.T) {
	t.Parallel()
	for _, refused := range []struct {
		method, path string
		status       int
	}{
		{"GET", "/graphiql/nothing.js", 404},
		{"GET", "/graphiql/assets", 404},
		{"GET", "/graphiql/graphiql.go", 404},
		{"GET", "/graphiql/../go.mod", 404},
		{"POST", "/graphiql", 405},
		{"HEAD", "/graphiql", 200},
	} {
		if served := get(t, refused.method, refused.path, ""); served.Code != refused.status {
			t.Errorf("%s %s: %d, want %d", refused.method, refused.path, served.Code, refused.status)
		}
	}
}
