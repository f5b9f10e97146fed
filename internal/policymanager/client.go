package policymanager

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/icos-jobmanager/jobmanager/internal/jobmanager"
)

const (
	// DefaultCallback is the route under which the old Job Manager really takes incompliances (CONTRACT.md 1.1,
	// route 18). The one that it announced, with /create at its end, it did not serve (CONTRACT.md 2.11, line 37).
	DefaultCallback = "/jobmanager/policies/incompliance"

	// root is the path below which the peer serves everything.
	root = "/polman"
	// ourselves is the only service whose callbacks the peer accepts.
	ourselves = "job-manager"
	// maxAnswer is how much of an answer is read, in bytes: enough for every explanation. What the peer says of
	// the policies that it made, nobody reads.
	maxAnswer = 64 << 10
	// maxIdle is how many connections are kept: as many as the service tells notices at once.
	maxIdle = 5
)

// Config says where the ICOS Policy Manager is, and where it finds us.
type Config struct {
	// BaseURL is absolute, http or https; the path of the events is added to it, and /polman where it does not
	// end in that already.
	BaseURL string
	// Callback is the path to which the peer posts an incompliance. The peer puts its own address of the Job
	// Manager before it. Empty means DefaultCallback.
	Callback string
	// Timeout bounds one call from the connection to the last byte; 0 means that of
	// jobmanager.DefaultNoticeLimits.
	Timeout time.Duration
}

// Client tells the ICOS Policy Manager. It is safe for concurrent use.
type Client struct {
	endpoint string
	callback string
	timeout  time.Duration
	http     http.Client
}

var _ jobmanager.PolicyManager = (*Client)(nil)

// New checks the configuration; nothing is sent yet. Errors: INVALID.
func New(config Config) (*Client, error) {
	base, err := url.Parse(config.BaseURL)
	if err != nil || base.Host == "" || (base.Scheme != "http" && base.Scheme != "https") || base.RawQuery != "" || base.Fragment != "" {
		// The cause is left out: it shows the whole address, with a password that may be in it.
		return nil, jobmanager.Errorf(jobmanager.CodeInvalid,
			"POLICYMANAGER_URL must be an absolute address such as http://policy-manager:8000, without query and fragment")
	}
	c := &Client{callback: config.Callback, timeout: config.Timeout}
	if c.callback == "" {
		c.callback = DefaultCallback
	}
	if path, err := url.Parse(c.callback); err != nil || path.IsAbs() || path.Host != "" || !strings.HasPrefix(path.Path, "/") {
		return nil, jobmanager.Errorf(jobmanager.CodeInvalid,
			"the Policy Manager's callback must be a path such as %s: it knows the address of the Job Manager itself", DefaultCallback)
	}
	if c.timeout <= 0 {
		c.timeout = jobmanager.DefaultNoticeLimits().Timeout
	}
	if !strings.HasSuffix(strings.TrimRight(base.Path, "/"), root) {
		base = base.JoinPath(root)
	}
	c.endpoint = base.JoinPath("registry/api/v1/icos/app").String()
	c.http = http.Client{
		Transport: &http.Transport{
			Proxy:               http.ProxyFromEnvironment,
			MaxIdleConnsPerHost: maxIdle,
			IdleConnTimeout:     time.Minute,
		},
		// A redirect would carry the token to an address that nobody configured.
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	return c, nil
}

// Close ends the idle connections. Calls that are under way go on.
func (c *Client) Close() { c.http.CloseIdleConnections() }

// Notify tells the peer one thing, once. See jobmanager.PolicyManager for the contract. The descriptor goes out as
// the user wrote it, with all its documents: the peer looks for the one that has a name and components.
func (c *Client) Notify(ctx context.Context, notice jobmanager.Notice, token jobmanager.Token) error {
	if notice.Kind == jobmanager.NoticeCreated && notice.Descriptor == "" {
		return jobmanager.Errorf(jobmanager.CodeInvalid, "the group's descriptor is gone, so the Policy Manager cannot be told of it")
	}
	body, err := json.Marshal(c.eventOf(notice))
	if err != nil {
		return jobmanager.Internal(err)
	}
	limited, cancel := context.WithTimeout(ctx, c.timeout)
	defer cancel()
	request, err := http.NewRequestWithContext(limited, http.MethodPost, c.endpoint, bytes.NewReader(body))
	if err != nil {
		return jobmanager.Internal(err)
	}
	request.Header.Set("Content-Type", "application/json")
	request.Header.Set("Accept", "application/json")
	if !token.Empty() {
		request.Header.Set("Authorization", "Bearer "+token.Reveal())
	}
	response, err := c.http.Do(request)
	if err != nil {
		return c.unanswered(ctx, err)
	}
	defer func() { _ = response.Body.Close() }() // everything that matters was read
	// The status decides, and it is known: an explanation that breaks off, or never ends, changes nothing.
	said, _ := io.ReadAll(io.LimitReader(response.Body, maxAnswer))
	return judge(notice.Kind, answer{status: response.StatusCode, body: said, token: token})
}

// event is the body of a call.
type event struct {
	Event         jobmanager.NoticeKind `json:"event"`
	AppInstance   jobmanager.ID         `json:"app_instance"`
	Service       string                `json:"service"`
	AppDescriptor string                `json:"app_descriptor,omitempty"`
	Callback      *callback             `json:"callback,omitempty"`
}

// callback is what the peer calls when a policy is broken; without one it fails on the first policy it reads.
type callback struct {
	Type               string   `json:"type"`
	URI                string   `json:"uri"`
	HTTPMethod         string   `json:"http_method"`
	IncludeAccessToken bool     `json:"include_access_token"`
	ExtraParams        struct{} `json:"extra_params"`
}

func (c *Client) eventOf(notice jobmanager.Notice) event {
	told := event{Event: notice.Kind, AppInstance: notice.GroupID, Service: ourselves}
	if notice.Kind == jobmanager.NoticeCreated {
		told.AppDescriptor = notice.Descriptor
		told.Callback = &callback{Type: "icos-service", URI: c.callback, HTTPMethod: http.MethodPost, IncludeAccessToken: true}
	}
	return told
}

// unanswered tells who ran out of patience, or that nobody is there; ctx is the caller's.
func (c *Client) unanswered(ctx context.Context, cause error) error {
	sentence := "the Policy Manager cannot be reached: check that it runs and that POLICYMANAGER_URL is right"
	switch {
	case errors.Is(ctx.Err(), context.Canceled):
		sentence = "the call was given up before the Policy Manager answered"
	case ctx.Err() != nil:
		sentence = "the Policy Manager did not answer in time: look whether it is overloaded"
	case errors.Is(cause, context.DeadlineExceeded):
		sentence = "the Policy Manager did not answer within " + c.timeout.String() + ": look whether it is overloaded"
	}
	return jobmanager.Wrap(jobmanager.CodeUnavailable, cause, sentence)
}
