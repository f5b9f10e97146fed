package service

import (
	"context"
	"time"

	"github.com/icos-jobmanager/jobmanager/internal/jobmanager"
)

// SubjectInput is what an incompliance is about.
type SubjectInput struct {
	Type         jobmanager.Text
	AppName      jobmanager.Text
	AppComponent jobmanager.Text
	AppInstance  jobmanager.Text
	ResourceID   jobmanager.Text
}

// LabelInput is one label of a metric.
type LabelInput struct {
	Name  string
	Value string
}

// ReportIncomplianceInput is a report that a policy is broken.
type ReportIncomplianceInput struct {
	ID                 *jobmanager.ID
	Subject            SubjectInput
	Remediation        string
	PolicyName         jobmanager.Text
	PolicyID           jobmanager.Text
	CurrentValue       jobmanager.Text
	Threshold          jobmanager.Text
	MeasurementBackend jobmanager.Text
	ExtraLabels        []LabelInput
}

// ReportIncompliancePayload is a recorded report.
type ReportIncompliancePayload struct{ Incompliance *jobmanager.Incompliance }

// ReportIncompliance records that a policy is broken and remedies the jobs that it is about. One that fits no
// job, or asks for what is unknown, is recorded and says so; a retry with the same id gets what the first call
// made. Policy managers may. INVALID for what is too long.
func (s *Service) ReportIncompliance(ctx context.Context, p jobmanager.Principal, input ReportIncomplianceInput) (*ReportIncompliancePayload, error) {
	if err := p.Need(jobmanager.RolePolicyManager); err != nil {
		return nil, err
	}
	report := input.incompliance()
	report.Tenant = p.Tenant
	if report.ID == "" {
		report.ID = s.IDs()
	}
	if err := report.Check(); err != nil {
		return nil, err
	}
	if earlier, err := s.incompliance(ctx, p, report.ID); err != nil || earlier != nil {
		return &ReportIncompliancePayload{earlier}, err
	}
	err := s.Store.RecordIncompliance(ctx, p.Scope(), p.Name, report, func(j *jobmanager.Job, now time.Time) (jobmanager.Remediation, []jobmanager.Event) {
		return j.Remediate(report, s.LifeCycle, now)
	})
	if jobmanager.CodeOf(err) == jobmanager.CodeConflict {
		if earlier, again := s.incompliance(ctx, p, report.ID); earlier != nil || again != nil {
			return &ReportIncompliancePayload{earlier}, again
		}
	}
	if err != nil {
		return nil, err
	}
	return &ReportIncompliancePayload{report}, nil
}

// incompliance finds a report by its id; nil when there is none.
func (s *Service) incompliance(ctx context.Context, p jobmanager.Principal, id jobmanager.ID) (*jobmanager.Incompliance, error) {
	page, err := s.Store.Incompliances(ctx, jobmanager.IncomplianceQuery{
		Scope: p.Scope(), Filter: jobmanager.IncomplianceFilter{IDs: []jobmanager.ID{id}}, Page: jobmanager.PageRequest{First: 1},
	})
	if err != nil || len(page.Edges) == 0 {
		return nil, err
	}
	return page.Edges[0].Node, nil
}

// Incompliances gives a page of reports, the newest first.
func (s *Service) Incompliances(ctx context.Context, p jobmanager.Principal, query jobmanager.IncomplianceQuery) (*jobmanager.IncomplianceConnection, error) {
	if err := p.Need(readers()...); err != nil {
		return nil, err
	}
	query.Scope = p.Scope()
	return s.Store.Incompliances(ctx, query)
}

// IncomplianceMessage is a message about an incompliance.
type IncomplianceMessage struct {
	Kind         MessageKind
	Cursor       jobmanager.Cursor
	Incompliance *jobmanager.Incompliance
}

// WatchIncompliances sends the reports that the filter picks as they come in. As WatchJobs.
func (s *Service) WatchIncompliances(ctx context.Context, p jobmanager.Principal, query jobmanager.IncomplianceQuery, options WatchOptions) (<-chan *IncomplianceMessage, error) {
	return start(ctx, s, p, watch[IncomplianceMessage]{
		WatchOptions: options, scope: p.Scope(),
		snapshot: func(ctx context.Context) ([]IncomplianceMessage, jobmanager.Cursor, error) {
			query.Page = jobmanager.PageRequest{First: LargestSnapshot}
			page, err := s.Incompliances(ctx, p, query)
			if err != nil {
				return nil, "", err
			}
			messages := make([]IncomplianceMessage, 0, len(page.Edges))
			for _, incompliance := range page.Nodes() {
				messages = append(messages, IncomplianceMessage{Kind: Snapshot, Incompliance: incompliance})
			}
			return messages, page.Revision, tooLarge(page.PageInfo)
		},
		message: func(e *jobmanager.Event) *IncomplianceMessage {
			if e.Incompliance == nil || !query.Filter.Watched(e.Incompliance) {
				return nil
			}
			return &IncomplianceMessage{Kind: Entered, Cursor: e.Cursor(), Incompliance: e.Incompliance}
		},
		bookmark: func(c jobmanager.Cursor) IncomplianceMessage { return IncomplianceMessage{Kind: Bookmark, Cursor: c} },
	})
}

// incompliance is the domain's form of what was sent.
func (r ReportIncomplianceInput) incompliance() *jobmanager.Incompliance {
	report := &jobmanager.Incompliance{
		Remediation: r.Remediation, PolicyName: string(r.PolicyName), PolicyID: r.PolicyID, CurrentValue: r.CurrentValue,
		Threshold: r.Threshold, MeasurementBackend: r.MeasurementBackend, Subject: jobmanager.Subject(r.Subject),
	}
	if r.ID != nil {
		report.ID = *r.ID
	}
	for _, label := range r.ExtraLabels {
		report.ExtraLabels = append(report.ExtraLabels, jobmanager.Label(label))
	}
	return report
}
