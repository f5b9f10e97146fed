package oldclient

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
)

// PolicyManager stands in for the Policy Manager 0.3.1 where it tells that a policy is broken.
type PolicyManager struct {
	// URL of the server, without a slash at its end.
	URL string
	// HTTP carries the calls.
	HTTP *http.Client
	// Login gets a token from Keycloak; nil where the policy's action asks for none. One token serves both tries.
	Login func() string
	// Pause is what lies between two tries: the real one waits 2 s.
	Pause func()
}

// The addresses that policies name: those made by today's Job Manager, and those that the old one asked for.
const (
	PolicyManagerURI    = "/jobmanager/policies/incompliance"
	PolicyManagerOldURI = "/jobmanager/policies/incompliance/create"
)

// policyManagerTries is how often a violation is told at most, with the same id.
const policyManagerTries = 2

// PolicyManagerViolation is a broken policy, with its fields in the order in which they are sent. The parameters of
// the policy's action come last, beside the fields of the violation itself.
type PolicyManagerViolation struct {
	ID           string `json:"id"`
	CurrentValue string `json:"currentValue"`
	// Threshold is null where the policy has none.
	Threshold          *string           `json:"threshold"`
	PolicyName         string            `json:"policyName"`
	PolicyID           string            `json:"policyId"`
	MeasurementBackend string            `json:"measurementBackend"`
	ExtraLabels        map[string]string `json:"extraLabels"`
	// Subject is a PolicyManagerApp, a PolicyManagerHost or an object of the policy's own.
	Subject any `json:"subject"`
	// Remediation is a parameter of the action; a policy need not have it.
	Remediation *string `json:"remediation,omitempty"`
}

// PolicyManagerApp is a component of an application.
type PolicyManagerApp struct {
	Type         string `json:"type"`
	AppName      string `json:"appName"`
	AppInstance  string `json:"appInstance"`
	AppComponent string `json:"appComponent"`
}

// PolicyManagerHost is a machine.
type PolicyManagerHost struct {
	Type    string `json:"type"`
	HostID  string `json:"hostId"`
	AgentID string `json:"agentId"`
}

// PolicyManagerAnswer is what one try was answered with. The real one looks at the status alone.
type PolicyManagerAnswer struct {
	// Status is 0 where no answer came.
	Status int
	Body   []byte
}

// Tell sends a violation, and once more when that was refused or got no answer. It returns what came, try by try.
func (p *PolicyManager) Tell(ctx context.Context, uri string, violation any) ([]PolicyManagerAnswer, error) {
	body, err := json.Marshal(violation)
	if err != nil {
		return nil, fmt.Errorf("the violation cannot be written as JSON: %w", err)
	}
	token := ""
	if p.Login != nil {
		token = p.Login()
	}
	var answers []PolicyManagerAnswer
	for range policyManagerTries {
		answer, err := p.try(ctx, uri, token, body)
		if err != nil {
			return answers, err
		}
		answers = append(answers, answer)
		if answer.Status > 0 && answer.Status < http.StatusBadRequest {
			break
		}
		p.Pause()
	}
	return answers, nil
}

// try sends the body once; the error is that the request cannot be made.
func (p *PolicyManager) try(ctx context.Context, uri, token string, body []byte) (PolicyManagerAnswer, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, p.URL+uri, bytes.NewReader(body))
	if err != nil {
		return PolicyManagerAnswer{}, fmt.Errorf("POST %s: %w", uri, err)
	}
	nuvlaHeader(request, token, true)
	if p.Login == nil {
		request.Header.Del("Authorization")
	}
	status, answer, err := nuvlaSend(p.HTTP, request)
	if err != nil {
		status = 0 // a connection that broke is one more reason to try again
	}
	return PolicyManagerAnswer{Status: status, Body: answer}, nil
}
