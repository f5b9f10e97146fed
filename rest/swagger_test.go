package rest_test

import (
	"crypto/sha256"
	"encoding/hex"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/icos-jobmanager/jobmanager/rest"
)

// readDocs asks Docs for one path.
func readDocs(t *testing.T, method, path, ifNoneMatch string) *httptest.ResponseRecorder {
	t.Helper()
	handler, err := rest.Docs()
	if err != nil {
		t.Fatal(err)
	}
	request := httptest.NewRequestWithContext(t.Context(), method, path, nil)
	request.Header.Set("If-None-Match", ifNoneMatch)
	recorder := httptest.NewRecorder()
	handler.ServeHTTP(recorder, request)
	return recorder
}

func TestSwaggerUIIsUnchangedAndHasItsLicences(t *testing.T) {
	t.Parallel()
	list, err := os.ReadFile("swagger/checksums.txt")
	if err != nil {
		t.Fatal(err)
	}
	sums := map[string]string{}
	for line := range strings.Lines(string(list)) {
		sum, name, _ := strings.Cut(strings.TrimSpace(line), "  ")
		sums[name] = sum
	}
	names, err := filepath.Glob("swagger/assets/*")
	if err != nil || len(names) == 0 || len(names) != len(sums) {
		t.Fatalf("there are %d assets and %d checksums (%v)", len(names), len(sums), err)
	}
	for name, want := range sums {
		served := readDocs(t, "GET", "/jobmanager/swagger/assets/"+name, "")
		sum := sha256.Sum256(served.Body.Bytes())
		if got := hex.EncodeToString(sum[:]); served.Code != 200 || got != want {
			t.Errorf("%s: status %d, sum %s, want %s", name, served.Code, got, want)
		}
		if strings.HasSuffix(name, ".map") {
			t.Errorf("%s is a source map, which nobody needs here", name)
		}
	}
	for _, licence := range []string{"swagger-ui.LICENSE.txt", "swagger-ui.NOTICE.txt", "swagger-ui-bundle.js.LICENSE.txt"} {
		if sums[licence] == "" {
			t.Errorf("%s is not there", licence)
		}
	}
}

func TestSwaggerPageNamesOnlyFilesThatAreServed(t *testing.T) {
	t.Parallel()
	page := readDocs(t, "GET", "/jobmanager/swagger/", "").Body.String()
	references := regexp.MustCompile(`(?:src|href)="([^"]+)"`).FindAllStringSubmatch(page, -1)
	if len(references) != 5 {
		t.Fatalf("the page names %d files: %v", len(references), references)
	}
	types := map[string]string{".js": "text/javascript; charset=utf-8", ".css": "text/css; charset=utf-8"}
	for _, reference := range references {
		path := reference[1]
		if path == "data:," { // no icon
			continue
		}
		served := readDocs(t, "GET", "/jobmanager/swagger/"+path, "")
		if got, want := served.Header().Get("Content-Type"), types[filepath.Ext(path)]; served.Code != 200 || want == "" || got != want {
			t.Errorf("%s: status %d, content type %q, want %q", path, served.Code, got, want)
		}
	}
}

func TestSwaggerPageNamesNoOtherHost(t *testing.T) {
	t.Parallel()
	for _, path := range []string{"index.html", "start.js", "page.css"} {
		served := readDocs(t, "GET", "/jobmanager/swagger/"+path, "")
		if served.Code != 200 || regexp.MustCompile(`(?:https?|wss?)://|["'(]//`).MatchString(served.Body.String()) {
			t.Errorf("%s: status %d, or an absolute address in it", path, served.Code)
		}
	}
}

func TestSwaggerPageIsServedAtBothSpellingsWithItsHeaders(t *testing.T) {
	t.Parallel()
	for _, path := range []string{"/jobmanager/swagger/", "/jobmanager/swagger/index.html"} {
		served := readDocs(t, "GET", path, "")
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

func TestABrowserThatHasTheDocumentIsToldSo(t *testing.T) {
	t.Parallel()
	first := readDocs(t, "GET", "/jobmanager/swagger/doc.json", "")
	if first.Header().Get("Cache-Control") != "no-cache" || first.Header().Get("ETag") == "" {
		t.Fatalf("headers %v", first.Header())
	}
	second := readDocs(t, "GET", "/jobmanager/swagger/doc.json", first.Header().Get("ETag"))
	if second.Code != http.StatusNotModified || second.Body.Len() != 0 {
		t.Errorf("status %d with %d bytes", second.Code, second.Body.Len())
	}
}

func TestDocsAnswersOtherRequests(t *testing.T) {
	t.Parallel()
	for _, other := range []struct {
		method, path string
		status       int
	}{
		{"GET", "/jobmanager/swagger", 302},
		{"GET", "/jobmanager/swagger/nothing.js", 404},
		{"GET", "/jobmanager/swagger/assets", 404},
		{"GET", "/jobmanager/swagger/assets.sh", 404},
		{"GET", "/jobmanager/swagger/../swagger.go", 404},
		{"POST", "/jobmanager/swagger/", 405},
		{"HEAD", "/jobmanager/swagger/", 200},
	} {
		if served := readDocs(t, other.method, other.path, ""); served.Code != other.status {
			t.Errorf("%s %s: %d, want %d", other.method, other.path, served.Code, other.status)
		}
	}
	if to := readDocs(t, "GET", "/jobmanager/swagger", "").Header().Get("Location"); to != "/jobmanager/swagger/" {
		t.Errorf("/jobmanager/swagger leads to %q", to)
	}
}
