package rest

import (
	"bytes"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"fmt"
	"io/fs"
	"net/http"
	"path"
	"strings"
	"time"
)

// The page's files: those under assets are of the npm package swagger-ui-dist 5.35.0, unchanged, with their
// licences; checksums.txt says what they are and assets.sh fetches and compares them. The others are ours.
//
//go:embed openapi.json swagger/index.html swagger/page.css swagger/start.js swagger/assets
var docFiles embed.FS

// docsPrefix is where Docs must be mounted.
const docsPrefix = "/jobmanager/swagger"

// docsPolicy lets the page load and call its own origin only. Swagger UI's style sheet holds its images as data.
const docsPolicy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; " +
	"connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"

// Document is the OpenAPI 3.0 description of this package's routes, as JSON; each call gives a copy.
func Document() ([]byte, error) {
	text, err := docFiles.ReadFile("openapi.json")
	if err != nil {
		return nil, fmt.Errorf("read the embedded OpenAPI document: %w", err)
	}
	return text, nil
}

// Docs serves what people and their tools read about this API: the OpenAPI document at
// /jobmanager/swagger/doc.json, and Swagger UI at /jobmanager/swagger/ and /jobmanager/swagger/index.html, all
// from the binary. Mount it at "/jobmanager/swagger" and "/jobmanager/swagger/", outside of authentication: it
// tells nothing about any application. /jobmanager/swagger itself, which was unknown to the old service, leads
// to the page. GET and HEAD are answered, other methods get 405, files that are not there 404.
func Docs() (http.Handler, error) {
	page, err := fs.Sub(docFiles, "swagger")
	if err != nil {
		return nil, fmt.Errorf("open the embedded Swagger UI: %w", err)
	}
	served := docs{}
	err = fs.WalkDir(page, ".", func(name string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		content, err := fs.ReadFile(page, name)
		served.add(name, content)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("read the embedded Swagger UI: %w", err)
	}
	document, err := Document()
	if err != nil {
		return nil, err
	}
	served.add("doc.json", document)
	return served, nil
}

// docs are the files by their path below docsPrefix.
type docs map[string]docFile

// docFile is one embedded file as it is sent.
type docFile struct {
	content     []byte
	contentType string
	etag        string
}

func (d docs) add(name string, content []byte) {
	sum := sha256.Sum256(content)
	d[name] = docFile{content: content, contentType: docType(name), etag: `"` + hex.EncodeToString(sum[:]) + `"`}
}

// docType does not ask the machine's own table of types: a browser that is told not to guess would refuse a
// script of another type.
func docType(name string) string {
	switch path.Ext(name) {
	case ".html":
		return "text/html; charset=utf-8"
	case ".css":
		return "text/css; charset=utf-8"
	case ".js":
		return "text/javascript; charset=utf-8"
	case ".json":
		return "application/json"
	default:
		return "text/plain; charset=utf-8"
	}
}

// ServeHTTP sends one file. The browser asks each time whether it is still the same, since the names stay
// when the binary is replaced.
func (d docs) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		w.Header().Set("Allow", "GET, HEAD")
		w.WriteHeader(http.StatusMethodNotAllowed)
		return
	}
	if r.URL.Path == docsPrefix {
		http.Redirect(w, r, docsPrefix+"/", http.StatusFound)
		return
	}
	name := strings.TrimPrefix(r.URL.Path, docsPrefix+"/")
	if name == "" {
		name = "index.html"
	}
	found, known := d[name]
	if !known {
		http.NotFound(w, r)
		return
	}
	header := w.Header()
	header.Set("Content-Type", found.contentType)
	header.Set("Content-Security-Policy", docsPolicy)
	header.Set("X-Content-Type-Options", "nosniff")
	header.Set("Referrer-Policy", "no-referrer")
	header.Set("Cache-Control", "no-cache")
	header.Set("ETag", found.etag)
	http.ServeContent(w, r, name, time.Time{}, bytes.NewReader(found.content))
}
