package rest

import (
	"context"
	"encoding/json"
	"net/http"
	"net/url"
	"strconv"

	"github.com/icos-jobmanager/jobmanager/internal/jobmanager"
)

// page is a part of a list, as it is shown.
type page struct {
	items []any
	// next is the cursor of what follows; empty at the end.
	next string
}

// pager reads a page of a list.
type pager struct {
	// most is how many objects one page of a whole list has: what the answer takes of memory.
	most int
	read func(context.Context, jobmanager.Principal, jobmanager.PageRequest) (page, error)
}

// shownPage shows a page of a connection.
func shownPage[T any](c *jobmanager.Connection[T], show func(T) any) page {
	shown := page{}
	for _, node := range c.Nodes() {
		shown.items = append(shown.items, show(node))
	}
	if c.PageInfo.HasNextPage {
		shown.next = string(c.PageInfo.EndCursor)
	}
	return shown
}

// list serves a list as one JSON array: the page that is asked for by limit and after, else all of it, read and sent
// page by page.
func (d *Door) list(of pager) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		request, asked, err := readPage(r)
		if err != nil {
			d.fail(w, r, nil, err)
			return
		}
		if !asked {
			request.First = of.most
		}
		first, err := of.read(r.Context(), jobmanager.PrincipalFrom(r.Context()), request)
		if err != nil {
			d.fail(w, r, nil, err)
			return
		}
		if asked && first.next != "" {
			setNext(w.Header(), r.URL, request.First, first.next)
			first.next = ""
		}
		d.stream(w, r, first, of)
	})
}

// The headers that tell of the next page.
const (
	nextLink  = "Link"
	nextAfter = "X-Next-After"
)

// setNext tells where the next page is.
func setNext(header http.Header, here *url.URL, limit int, after string) {
	there := url.URL{Path: here.Path, RawQuery: url.Values{"limit": {strconv.Itoa(limit)}, "after": {after}}.Encode()}
	header.Set(nextLink, "<"+there.String()+`>; rel="next"`)
	header.Set(nextAfter, after)
}

// stream sends a list that begins with this page. What fails once the status is sent can be told only by an array that
// does not end.
func (d *Door) stream(w http.ResponseWriter, r *http.Request, first page, of pager) {
	w.WriteHeader(http.StatusOK)
	out := listWriter{w: w}
	out.text("[")
	for now := first; ; {
		for _, item := range now.items {
			out.item(item)
		}
		if now.next == "" || out.gone {
			break
		}
		var err error
		now, err = of.read(r.Context(), jobmanager.PrincipalFrom(r.Context()), jobmanager.PageRequest{First: of.most, After: now.next})
		if err != nil {
			_ = d.told(w, r, err) // nobody is told, but the log may be
			cut(w)
			return
		}
	}
	out.text("]\n")
}

// listWriter writes an array item by item, until its client is gone.
type listWriter struct {
	w    http.ResponseWriter
	some bool
	gone bool
}

func (l *listWriter) text(text string) {
	if l.gone {
		return
	}
	_, err := l.w.Write([]byte(text))
	l.gone = err != nil
}

func (l *listWriter) item(item any) {
	if l.some {
		l.text(",")
	}
	l.some = true
	encoded, err := json.Marshal(item)
	if err != nil { // what is shown always encodes
		l.gone = true
		return
	}
	l.text(string(encoded))
}
