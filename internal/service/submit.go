package service

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"

	"github.com/icos-jobmanager/jobmanager/internal/jobmanager"
)

// OnMatchmakerDown is what a submitter wants done when no target can be asked for.
type OnMatchmakerDown string

// The choices.
const (
	FailWhenDown   OnMatchmakerDown = "FAIL"
	AcceptWhenDown OnMatchmakerDown = "ACCEPT"
)

// CreateJobGroupInput is a descriptor to submit.
type CreateJobGroupInput struct {
	Descriptor       string
	OnMatchmakerDown *OnMatchmakerDown
	DryRun           *bool
	IdempotencyKey   jobmanager.Text
}

// CreateJobGroupPayload is what became of it.
type CreateJobGroupPayload struct {
	JobGroup *jobmanager.JobGroup
	Findings []jobmanager.Finding
}

// CreateJobGroup turns a descriptor into a group of jobs. Integrators may. INVALID with all findings when
// the descriptor is refused, TOO_LARGE when it is too long, UNAVAILABLE when the Matchmaker is down and the
// caller wants that to fail; UNAUTHENTICATED when it refuses the caller's token.
func (s *Service) CreateJobGroup(ctx context.Context, p jobmanager.Principal, input CreateJobGroupInput) (*CreateJobGroupPayload, error) {
	if err := p.Need(jobmanager.RoleIntegrator); err != nil {
		return nil, err
	}
	descriptor, findings := s.Parser.Parse(input.Descriptor)
	payload := &CreateJobGroupPayload{Findings: findings}
	if input.DryRun != nil && *input.DryRun {
		return payload, nil
	}
	if refusals := jobmanager.Refusals(findings); len(refusals) > 0 {
		return nil, refusal(refusals[0], findings)
	}
	request, err := idempotency(p, "createJobGroup", string(input.IdempotencyKey), input)
	if err != nil {
		return nil, err
	}
	submission := jobmanager.Submission{Tenant: p.Tenant, Descriptor: descriptor, Text: input.Descriptor}
	payload.JobGroup, err = s.once(ctx, p, request, func() (*jobmanager.JobGroup, error) {
		return s.create(ctx, p, submission, accepts(input.OnMatchmakerDown), request)
	})
	if err != nil {
		return nil, err
	}
	return payload, nil
}

// create makes the group of a submission; later says that it may be matched later when the Matchmaker is down.
func (s *Service) create(ctx context.Context, p jobmanager.Principal, submission jobmanager.Submission, later bool, request jobmanager.Idempotency) (*jobmanager.JobGroup, error) {
	if err := s.match(ctx, p, &submission, later); err != nil {
		return nil, err
	}
	group, events := jobmanager.NewJobGroup(submission, s.LifeCycle, s.IDs, s.Clock.Now())
	for i := range events {
		events[i].Actor = p.Name
	}
	request.Result = group.ID
	if err := s.Store.CreateGroup(ctx, group, events, request); err != nil {
		return nil, fmt.Errorf("create group %s: %w", group.Name, err)
	}
	return group, nil
}

// accepts says whether the caller lets its components be matched later.
func accepts(choice *OnMatchmakerDown) bool { return choice != nil && *choice == AcceptWhenDown }

// refusal is the error of a descriptor that cannot be used.
func refusal(first jobmanager.Finding, findings []jobmanager.Finding) error {
	code := jobmanager.CodeInvalid
	if first.Code == string(jobmanager.CodeTooLarge) {
		code = jobmanager.CodeTooLarge
	}
	place := ""
	if first.Line > 0 {
		place = fmt.Sprintf(" (line %d, column %d)", first.Line, first.Column)
	}
	refused := jobmanager.Errorf(code, "the descriptor is refused: %s%s", first.Message, place)
	if others := len(jobmanager.Refusals(findings)) - 1; others > 0 {
		refused.Message += fmt.Sprintf("; %d more errors stand in the findings", others)
	}
	refused.Findings = findings
	return refused
}

// match asks for targets; no answer is no error where the caller accepts to be matched later.
func (s *Service) match(ctx context.Context, p jobmanager.Principal, submission *jobmanager.Submission, later bool) error {
	var err error
	submission.Matches, err = s.Matchmaker.Match(ctx, submission.Descriptor, submission.Text, p.Token)
	if err == nil {
		return nil
	}
	if later && jobmanager.CodeOf(err) == jobmanager.CodeUnavailable {
		s.Logger.WarnContext(ctx, "accepted a descriptor without targets", "application", submission.Descriptor.Name, "error", err)
		submission.Matches, submission.Unanswered = nil, jobmanager.Sentence(err)
		return nil
	}
	return fmt.Errorf("match the components of %s: %w", submission.Descriptor.Name, err)
}

// longestKey bounds the names that clients give to their requests, in bytes.
const longestKey = 200

// idempotency describes a request by its key and what it asks.
func idempotency(p jobmanager.Principal, operation, key string, input any) (jobmanager.Idempotency, error) {
	request := jobmanager.Idempotency{Key: key, Tenant: p.Tenant, Operation: operation}
	if key == "" {
		return request, nil
	}
	if err := jobmanager.CheckText("idempotencyKey", key, longestKey); err != nil {
		return request, err
	}
	text, err := json.Marshal(input)
	if err != nil {
		return request, jobmanager.Wrap(jobmanager.CodeInternal, err, "the request cannot be hashed")
	}
	sum := sha256.Sum256(text)
	request.Hash = hex.EncodeToString(sum[:])
	return request, nil
}

// overtaken says whether another call with the same key may have done meanwhile what this one failed to do.
func overtaken(request jobmanager.Idempotency, err error) bool {
	return request.Key != "" && err != nil
}

// earlier gives the group that an earlier request with the same key made; nil when there was none, NOT_FOUND
// when it was deleted since.
func (s *Service) earlier(ctx context.Context, p jobmanager.Principal, request jobmanager.Idempotency) (*jobmanager.JobGroup, error) {
	if request.Key == "" {
		return nil, nil
	}
	id, err := s.Store.Idempotent(ctx, request)
	if err != nil || id == "" {
		return nil, err
	}
	group, err := s.Store.JobGroup(ctx, p.Scope(), id, jobmanager.GroupLoad{Descriptor: true})
	if jobmanager.CodeOf(err) == jobmanager.CodeNotFound {
		return nil, jobmanager.Errorf(jobmanager.CodeNotFound, "this idempotencyKey was used for group %s, which was deleted since: use a new key for a new request", id)
	}
	return group, err
}
