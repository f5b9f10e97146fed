// Package graphiql serves GraphiQL, a page on which people read the schema and try queries, mutations and
// subscriptions. All its files are in the binary: the page asks no other host for anything.
//
// The files under assets are those of the npm packages graphiql 4.1.2 (the last with a bundle for a script
// tag), react and react-dom 18.2.0 and graphql-ws 6.4.2, unchanged, with their licences; checksums.txt says
// what they are and assets.sh fetches and compares them. Ours are index.html, page.css and start.js. The page
// needs introspection at /graphql. Start with Handler.
package graphiql

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

//go:embed index.html page.css start.js assets
var files embed.FS

// prefix is where the handler must be mounted; index.html names its files below it.
const prefix = "/graphiql"

// contentSecurityPolicy lets the page load and call its own origin only. GraphiQL's style sheet holds its
// fonts and images as data. One style that GraphiQL writes when a dialog opens is refused, which the browser
// notes in its console: it would lock the page's scroll bar, and page.css leaves it none.
const contentSecurityPolicy = "default-src 'none'; script-src 'self'; style-src 'self'; " +
	"font-src 'self' data:; img-src 'self' data:; connect-src 'self'; " +
	"base-uri 'none'; form-action 'none'; frame-ancestors 'none'"

// file is one embedded file as it is sent.
type file struct {
	content     []byte
	contentType string
	etag        string
}

// Handler serves the page at /graphiql and its files below; mount it on both "/graphiql" and "/graphiql/".
// The page talks to /graphql on the origin that it came from. It takes GET and HEAD, and answers a request
// for a file that it has not with 404.
func Handler() (http.Handler, error) {
	served := map[string]file{}
	err := fs.WalkDir(files, ".", func(name string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		content, err := files.ReadFile(name)
		if err != nil {
			return err
		}
		sum := sha256.Sum256(content)
		served[name] = file{
			content:     content,
			contentType: contentTypeOf(name),
			etag:        `"` + hex.EncodeToString(sum[:]) + `"`,
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("read the embedded GraphiQL files: %w", err)
	}
	return handler(served), nil
}

// contentTypeOf does not ask the machine's own table of types: a browser that is told not to guess would
// refuse a script of another type.
func contentTypeOf(name string) string {
	switch path.Ext(name) {
	case ".html":
		return "text/html; charset=utf-8"
	case ".css":
		return "text/css; charset=utf-8"
	case ".js":
		return "text/javascript; charset=utf-8"
	default:
		return "text/plain; charset=utf-8"
	}
}

type handler map[string]file

// ServeHTTP sends one file. The browser asks each time whether it is still the same, since the names stay
// when the binary is replaced.
func (h handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		w.Header().Set("Allow", "GET, HEAD")
		http.Error(w, "use GET", http.StatusMethodNotAllowed)
		return
	}
	name := strings.Trim(strings.TrimPrefix(r.URL.Path, prefix), "/")
	if name == "" {
		name = "index.html"
	}
	found, known := h[name]
	if !known {
		http.NotFound(w, r)
		return
	}
	header := w.Header()
	header.Set("Content-Type", found.contentType)
	header.Set("Content-Security-Policy", contentSecurityPolicy)
	header.Set("X-Content-Type-Options", "nosniff")
	header.Set("Referrer-Policy", "no-referrer")
	header.Set("Cache-Control", "no-cache")
	header.Set("ETag", found.etag)
	http.ServeContent(w, r, name, time.Time{}, bytes.NewReader(found.content))
}
