// Package resttest holds what tests of the REST API share: a transport that compares every response with the
// OpenAPI document. For tests only. Start with Checked.
package resttest

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/getkin/kin-openapi/openapi3filter"
	"github.com/getkin/kin-openapi/routers"
	"github.com/getkin/kin-openapi/routers/gorillamux"

	"github.com/icos-jobmanager/jobmanager/rest"
)

// Checked passes requests to next (nil means http.DefaultTransport) and fails the test where a response below
// /jobmanager is not as the OpenAPI document says: its status, its Content-Type, its body, and keys that the
// document does not know. A path that the document lacks must be answered 404, a method that it lacks 405, a
// preflight 204, each as components.responses says. Requests are not looked at: clients may send what they like.
// Use it from any number of goroutines while the test runs:
//
//	client := &http.Client{Transport: resttest.Checked(t, nil)}
func Checked(t testing.TB, next http.RoundTripper) http.RoundTripper {
	t.Helper()
	document, err := rest.Document()
	if err != nil {
		t.Fatal(err)
	}
	check, err := newChecker(document)
	if err != nil {
		t.Fatal(err)
	}
	if next == nil {
		next = http.DefaultTransport
	}
	return &transport{t: t, next: next, checker: check}
}

type transport struct {
	t    testing.TB
	next http.RoundTripper
	*checker
}

// RoundTrip sends the request and checks what comes back; the caller gets it unchanged.
func (c *transport) RoundTrip(request *http.Request) (*http.Response, error) {
	response, err := c.next.RoundTrip(request)
	if err != nil || !below(request.URL.Path, "/jobmanager") || below(request.URL.Path, "/jobmanager/swagger") {
		return response, err
	}
	body, err := io.ReadAll(response.Body)
	_ = response.Body.Close() // it was read to its end, or its error is told
	if err != nil {
		return nil, fmt.Errorf("read the response to %s %s: %w", request.Method, request.URL.Path, err)
	}
	response.Body = io.NopCloser(bytes.NewReader(body))
	if err := c.check(request, response, body); err != nil {
		c.t.Errorf("%s %s answered %d (%s), which the OpenAPI document does not describe: %v\n%s", request.Method,
			request.URL.Path, response.StatusCode, response.Header.Get("Content-Type"), err, body)
	}
	return response, nil
}

// below says whether a path is the root or lies under it.
func below(path, root string) bool { return path == root || strings.HasPrefix(path, root+"/") }

// checker compares responses with one document. It keeps nothing between them.
type checker struct {
	document *openapi3.T
	router   routers.Router
}

func newChecker(text []byte) (*checker, error) {
	document, err := openapi3.NewLoader().LoadFromData(text)
	if err != nil {
		return nil, fmt.Errorf("load the OpenAPI document: %w", err)
	}
	for _, schema := range document.Components.Schemas {
		closeSchema(schema.Value)
	}
	router, err := gorillamux.NewRouter(document)
	if err != nil {
		return nil, fmt.Errorf("make a router of the OpenAPI document: %w", err)
	}
	return &checker{document: document, router: router}, nil
}

// closeSchema refuses keys that an object's schema does not name. The document itself leaves objects open, for
// requests may carry more; what the server sends must be described.
func closeSchema(schema *openapi3.Schema) {
	if len(schema.Properties) > 0 && schema.AdditionalProperties.Schema == nil && schema.AdditionalProperties.Has == nil {
		no := false
		schema.AdditionalProperties.Has = &no
	}
}

func (c *checker) check(request *http.Request, response *http.Response, body []byte) error {
	input, err := c.expected(request, response)
	if err != nil {
		return err
	}
	described := input.RequestValidationInput.Route.Operation.Responses.Status(response.StatusCode)
	if described != nil && len(described.Value.Content) == 0 && len(body) > 0 {
		return errors.New("the body must be empty")
	}
	input.SetBodyBytes(body)
	return openapi3filter.ValidateResponse(context.WithoutCancel(request.Context()), input)
}

// expected finds the operation that the document has for the request; where it has none, one that holds what the
// document says about such requests.
func (c *checker) expected(request *http.Request, response *http.Response) (*openapi3filter.ResponseValidationInput, error) {
	input := &openapi3filter.ResponseValidationInput{
		Status: response.StatusCode, Header: response.Header,
		Options: &openapi3filter.Options{IncludeResponseStatus: true, MultiError: true},
	}
	route, params, err := c.route(request)
	if err != nil {
		return nil, err
	}
	input.RequestValidationInput = &openapi3filter.RequestValidationInput{Request: request, PathParams: params, Route: route}
	return input, nil
}

func (c *checker) route(request *http.Request) (*routers.Route, map[string]string, error) {
	if request.Method == http.MethodOptions && request.Header.Get("Access-Control-Request-Method") != "" {
		return c.only(http.StatusNoContent, "Preflight"), nil, nil
	}
	// The document is about paths, whatever host the test's server has.
	at := *request
	at.URL = &url.URL{Path: request.URL.Path, RawPath: request.URL.RawPath}
	route, params, err := c.router.FindRoute(&at)
	switch {
	case errors.Is(err, routers.ErrPathNotFound):
		return c.only(http.StatusNotFound, "UnknownPath"), nil, nil
	case errors.Is(err, routers.ErrMethodNotAllowed):
		return c.only(http.StatusMethodNotAllowed, "WrongMethod"), nil, nil
	}
	return route, params, err
}

// only is an operation with one response.
func (c *checker) only(status int, name string) *routers.Route {
	responses := openapi3.NewResponses(openapi3.WithStatus(status, c.document.Components.Responses[name]))
	return &routers.Route{Spec: c.document, Operation: &openapi3.Operation{Responses: responses}}
}
