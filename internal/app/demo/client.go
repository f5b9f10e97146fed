package demo

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"time"
)

// client calls the API over HTTP, as any script would.
type client struct {
	url  string
	http *http.Client
}

// The parts of the answers that the demo shows.
type (
	finding struct {
		Severity, Message string
		Line              int
	}
	condition struct{ Type, Status string }
	job       struct {
		ID, Component, State, Owner string
		Target                      *struct{ Cluster, Node string }
		Resource                    *struct {
			Name       string
			Conditions []condition
		}
		Waiting *struct{ Reason, Message string }
	}
	group struct {
		ID, Name, Phase string
		Jobs            struct{ Nodes []job }
	}
)

// jobFields is what the demo asks of a job.
const jobFields = `{ id component state owner target { cluster node }
	resource { name conditions { type status } } waiting { reason message } }`

// submit sends the descriptor.
func (c *client) submit(ctx context.Context, descriptor string) (group, []finding, error) {
	var answer struct {
		CreateJobGroup struct {
			JobGroup group
			Findings []finding
		}
	}
	// The key makes a submission that is sent again, after an answer that was lost, the same one.
	err := c.call(ctx, `mutation Submit($descriptor: String!) { createJobGroup(input: {descriptor: $descriptor, idempotencyKey: "demo"}) {
		jobGroup { id name phase jobs { nodes `+jobFields+` } } findings { severity line message } } }`,
		map[string]any{"descriptor": descriptor}, &answer)
	return answer.CreateJobGroup.JobGroup, answer.CreateJobGroup.Findings, err
}

// table shows the group as it is.
func (c *client) table(ctx context.Context, id string, say *narrator) error {
	var answer struct{ JobGroup group }
	err := c.call(ctx, `query Show($id: ID!) { jobGroup(id: $id) { id name phase jobs { nodes `+jobFields+` } } }`,
		map[string]any{"id": id}, &answer)
	if err != nil {
		return err
	}
	say.line("%s is %s", answer.JobGroup.Name, answer.JobGroup.Phase)
	for _, job := range answer.JobGroup.Jobs.Nodes {
		say.line("  %s", job)
	}
	return nil
}

// String is one row of a table.
func (j job) String() string {
	where, what := "-", "-"
	if j.Target != nil {
		where = j.Target.Cluster + "/" + j.Target.Node
	}
	if j.Resource != nil {
		what = conditions(j.Resource.Conditions)
	} else if j.Waiting != nil {
		what = j.Waiting.Reason
	}
	if len(where) > 34 {
		where = where[:12] + "…" + where[len(where)-20:]
	}
	return fmt.Sprintf("%-10s %-12s %-36s %-18s %s", j.Component, j.State, where, j.Owner, what)
}

// conditions shows each condition by its type, with a mark.
func conditions(all []condition) string {
	marks := map[string]string{"TRUE": "+", "FALSE": "-", "UNKNOWN": "?"}
	var words []string
	for _, c := range all {
		words = append(words, marks[c.Status]+c.Type)
	}
	return strings.Join(words, " ")
}

// errLost says that no answer came, because the server died or is not back yet.
var errLost = errors.New("the server is gone")

// call sends one request and reads its data; the API's own errors come back with their sentences. While the
// server is gone it is sent again, so it must be one that may be repeated.
func (c *client) call(ctx context.Context, query string, variables map[string]any, into any) error {
	body, err := json.Marshal(map[string]any{"query": query, "variables": variables})
	if err != nil {
		return fmt.Errorf("encode the request: %w", err)
	}
	ticker := time.NewTicker(200 * time.Millisecond)
	defer ticker.Stop()
	for {
		if err = c.try(ctx, body, into); !errors.Is(err, errLost) {
			return err
		}
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-ticker.C:
		}
	}
}

func (c *client) try(ctx context.Context, body []byte, into any) error {
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, c.url, bytes.NewReader(body))
	if err != nil {
		return fmt.Errorf("make the request: %w", err)
	}
	request.Header.Set("Content-Type", "application/json")
	answer, err := c.http.Do(request)
	if err != nil {
		return lost(err)
	}
	defer func() { _ = answer.Body.Close() }() // it was read to its end
	text, err := io.ReadAll(answer.Body)
	if err != nil {
		return lost(err)
	}
	var envelope struct {
		Data   json.RawMessage
		Errors []struct{ Message string }
	}
	if err := json.Unmarshal(text, &envelope); err != nil {
		return fmt.Errorf("read the answer (%s): %w", answer.Status, err)
	}
	if len(envelope.Errors) > 0 {
		return fmt.Errorf("the server refused: %s", envelope.Errors[0].Message)
	}
	if err := json.Unmarshal(envelope.Data, into); err != nil {
		return fmt.Errorf("read the data: %w", err)
	}
	return nil
}

// lost tells a broken connection from a server that is there and does not answer in time.
func lost(err error) error {
	if slow, ok := errors.AsType[net.Error](err); ok && slow.Timeout() {
		return fmt.Errorf("the server does not answer: %w", err)
	}
	return fmt.Errorf("%w: %w", errLost, err)
}
