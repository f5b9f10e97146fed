package apptest

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"testing"
)

// Client calls a server's GraphQL door.
type Client struct {
	url  string
	http *http.Client
}

// NewClient makes a client for a server's base URL.
func NewClient(base string) *Client {
	return &Client{url: base + "/graphql", http: &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: 64}}}
}

// Close ends idle connections.
func (c *Client) Close() { c.http.CloseIdleConnections() }

// Vars are the variables of an operation.
type Vars map[string]any

// Problem is one error of an answer.
type Problem struct {
	Message    string
	Extensions struct {
		Code     string
		Owner    string
		Epoch    int64
		Findings []Finding
	}
}

// Finding is one finding about a descriptor.
type Finding struct {
	Severity, Code, Message, Path, Hint string
	Line, Column                        int
}

// Answer is what a server answered.
type Answer struct {
	Status int
	Data   json.RawMessage
	Errors []Problem
}

// Code of the first error; empty when there is none.
func (a Answer) Code() string {
	if len(a.Errors) == 0 {
		return ""
	}
	return a.Errors[0].Extensions.Code
}

// Do sends an operation and gives whatever comes back; the error is one of the connection.
func (c *Client) Do(ctx context.Context, query string, variables Vars) (Answer, error) {
	body, err := json.Marshal(map[string]any{"query": query, "variables": variables})
	if err != nil {
		return Answer{}, fmt.Errorf("encode: %w", err)
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, c.url, bytes.NewReader(body))
	if err != nil {
		return Answer{}, fmt.Errorf("request: %w", err)
	}
	request.Header.Set("Content-Type", "application/json")
	response, err := c.http.Do(request)
	if err != nil {
		return Answer{}, fmt.Errorf("call: %w", err)
	}
	defer func() { _ = response.Body.Close() }() // it was read to its end
	answer := Answer{Status: response.StatusCode}
	if err := json.NewDecoder(response.Body).Decode(&answer); err != nil {
		return answer, fmt.Errorf("decode: %w", err)
	}
	return answer, nil
}

// Must sends an operation that must succeed and reads its data.
func (c *Client) Must(t testing.TB, query string, variables Vars, into any) {
	t.Helper()
	answer, err := c.Do(t.Context(), query, variables)
	if err != nil {
		t.Fatal(err)
	}
	if len(answer.Errors) > 0 {
		t.Fatalf("%s\nanswered %+v", query, answer.Errors)
	}
	if into == nil {
		return
	}
	if err := json.Unmarshal(answer.Data, into); err != nil {
		t.Fatal(err)
	}
}

// Refused sends an operation that must fail, and gives its first error.
func (c *Client) Refused(t testing.TB, query string, variables Vars) Problem {
	t.Helper()
	answer, err := c.Do(t.Context(), query, variables)
	if err != nil {
		t.Fatal(err)
	}
	if len(answer.Errors) == 0 {
		t.Fatalf("%s\nsucceeded: %s", query, answer.Data)
	}
	if answer.Status >= 500 {
		t.Errorf("answered with status %d: a client's mistake is none of the server's", answer.Status)
	}
	return answer.Errors[0]
}
