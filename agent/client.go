package agent

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"time"
)

const (
	callTimeout   = 15 * time.Second
	answerLimit   = 64 << 20 // bytes: a batch of claimed jobs with the largest manifests
	graphqlMedia  = "application/graphql-response+json"
	bearer        = "Bearer "
	authorization = "Authorization"
)

// client calls the server over HTTP.
type client struct {
	http     *http.Client
	endpoint string
	token    string
}

// answer is a GraphQL response.
type answer struct {
	Data   json.RawMessage `json:"data"`
	Errors []wireError     `json:"errors"`
}

type wireError struct {
	Message    string `json:"message"`
	Extensions struct {
		Code string `json:"code"`
	} `json:"extensions"`
}

// refusal is the first of the errors; nil when there is none.
func refusal(errs []wireError) error {
	if len(errs) == 0 {
		return nil
	}
	code := errs[0].Extensions.Code
	if code == "" {
		code = codeInternal
	}
	return &Error{Code: code, Message: errs[0].Message}
}

// mutate sends a mutation with its input and reads its data. An *Error is the server's answer; any other
// error says that none came, and then the mutation may or may not have been done.
func (c *client) mutate(ctx context.Context, document string, input, data any) error {
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	body, err := json.Marshal(map[string]any{"query": document, "variables": map[string]any{"input": input}})
	if err != nil {
		return fmt.Errorf("encode the call: %w", err)
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, c.endpoint, bytes.NewReader(body))
	if err != nil {
		return fmt.Errorf("make the call: %w", err)
	}
	request.Header.Set("Content-Type", "application/json")
	request.Header.Set("Accept", graphqlMedia+", application/json;q=0.9")
	if c.token != "" {
		request.Header.Set(authorization, bearer+c.token)
	}
	response, err := c.http.Do(request)
	if err != nil {
		return fmt.Errorf("call the server: %w", err)
	}
	defer func() { _ = response.Body.Close() }() // it was read to its end, or the call has failed
	text, err := io.ReadAll(io.LimitReader(response.Body, answerLimit+1))
	if err != nil {
		return fmt.Errorf("read the answer: %w", err)
	}
	return decode(response.StatusCode, text, data)
}

// decode reads a response. One that is not GraphQL comes from something in between, and its status decides.
func decode(status int, text []byte, data any) error {
	if len(text) > answerLimit {
		return &Error{Code: codeTooLarge, Message: fmt.Sprintf("the answer is larger than %d bytes", answerLimit)}
	}
	var got answer
	if err := json.Unmarshal(text, &got); err != nil || (got.Errors == nil && got.Data == nil) {
		return byStatus(status)
	}
	if err := refusal(got.Errors); err != nil {
		return err
	}
	if err := json.Unmarshal(got.Data, data); err != nil {
		return fmt.Errorf("decode the answer: %w", err)
	}
	return nil
}

// byStatus is the refusal that stands for a bare HTTP status.
func byStatus(status int) error {
	code := codeUnavailable
	switch status {
	case http.StatusUnauthorized:
		code = codeUnauthenticated
	case http.StatusForbidden:
		code = codeForbidden
	case http.StatusRequestEntityTooLarge:
		code = codeTooLarge
	case http.StatusTooManyRequests:
		code = codeRateLimited
	}
	return &Error{Code: code, Message: fmt.Sprintf("HTTP status %d without a GraphQL answer: is this the server's URL?", status)}
}
