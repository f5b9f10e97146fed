package oldclient

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
)

// Shell stands in for the Shell backend 0.4.1-beta, which passes on what users ask of applications. Each of its six
// operations takes one status for success and one shape of body, and relays every other status without its text.
type Shell struct {
	// URL of the groups: the server's, with the path /jobmanager/groups.
	URL string
	// HTTP carries the calls.
	HTTP *http.Client
	// Login exchanges the user's refresh token; empty when Keycloak refused, and the call is made all the same.
	Login func() string
}

// ShellRefusal is an answer that the backend does not take for success.
type ShellRefusal struct {
	Status int
	// Body as the server sent it; the backend's own users never see it.
	Body string
	// Reason why it is none.
	Reason string
}

// Error says what came.
func (r *ShellRefusal) Error() string { return fmt.Sprintf("%s: %d %s", r.Reason, r.Status, r.Body) }

// Create submits a descriptor, as it is.
func (s *Shell) Create(ctx context.Context, descriptor string) (map[string]any, error) {
	return shellRead[map[string]any](s.call(ctx, shellCall{http.MethodPost, "", "application/x-yaml", descriptor, http.StatusCreated}))
}

// List gives all applications.
func (s *Shell) List(ctx context.Context) ([]map[string]any, error) {
	return shellRead[[]map[string]any](s.call(ctx, shellCall{method: http.MethodGet, want: http.StatusOK}))
}

// Get gives one application.
func (s *Shell) Get(ctx context.Context, id string) (map[string]any, error) {
	return shellRead[map[string]any](s.call(ctx, shellCall{method: http.MethodGet, path: "/" + id, want: http.StatusOK}))
}

// Update gives an application a new descriptor: document is the first one of its text, the backend drops the others.
func (s *Shell) Update(ctx context.Context, id string, document any) (map[string]any, error) {
	body, err := json.Marshal(document)
	if err != nil {
		return nil, fmt.Errorf("the descriptor cannot be written as JSON: %w", err)
	}
	return shellRead[map[string]any](s.call(ctx, shellCall{http.MethodPut, "/" + id, "application/json", string(body), http.StatusOK}))
}

// Stop undeploys an application.
func (s *Shell) Stop(ctx context.Context, id string) (map[string]any, error) {
	return shellRead[map[string]any](s.call(ctx, shellCall{method: http.MethodPut, path: "/undeploy/" + id, want: http.StatusOK}))
}

// Delete removes an application, and must be given it as an object.
func (s *Shell) Delete(ctx context.Context, id string) (map[string]any, error) {
	return shellRead[map[string]any](s.call(ctx, shellCall{method: http.MethodDelete, path: "/" + id, want: http.StatusOK}))
}

// shellCall is one call: what is sent where, and the one status that counts as success.
type shellCall struct {
	method, path, contentType, body string
	want                            int
}

// call sends a call and gives the body of a success.
func (s *Shell) call(ctx context.Context, c shellCall) (string, error) {
	request, err := http.NewRequestWithContext(ctx, c.method, s.URL+c.path, strings.NewReader(c.body))
	if err != nil {
		return "", fmt.Errorf("%s %s: %w", c.method, c.path, err)
	}
	request.Header.Set("Authorization", "Bearer "+s.Login())
	if c.contentType != "" {
		request.Header.Set("Content-Type", c.contentType)
	}
	status, body, err := nuvlaSend(s.HTTP, request)
	if err != nil {
		return "", fmt.Errorf("%s %s: %w", c.method, c.path, err)
	}
	if status != c.want {
		return "", &ShellRefusal{Status: status, Body: string(body), Reason: "an unexpected status"}
	}
	return string(body), nil
}

// shellRead reads the body of a success: an object or a list of objects, never null.
func shellRead[T map[string]any | []map[string]any](body string, err error) (T, error) {
	if err != nil {
		return nil, err
	}
	var value T
	if err := json.Unmarshal([]byte(body), &value); err != nil || value == nil {
		return nil, &ShellRefusal{Status: http.StatusOK, Body: body, Reason: fmt.Sprintf("the body is no %T", value)}
	}
	return value, nil
}
