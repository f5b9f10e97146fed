package rest

import (
	"context"

	"github.com/icos-jobmanager/jobmanager/internal/jobmanager"
	"github.com/icos-jobmanager/jobmanager/internal/service"
)

// reportIncompliance records a broken policy. What asks for a remediation that nobody knows is recorded too, but its
// sender is told.
func (d *Door) reportIncompliance(ctx context.Context, p jobmanager.Principal, input service.ReportIncomplianceInput) (*jobmanager.Incompliance, error) {
	reported, err := d.service.ReportIncompliance(ctx, p, input)
	if err != nil {
		return nil, err
	}
	for _, answer := range reported.Incompliance.Remediations {
		if answer.Outcome == jobmanager.RemediationRefused && answer.SubType == "" {
			return nil, jobmanager.Errorf(codeUnknownRemediation, "%s; it was recorded", answer.Reason)
		}
	}
	return reported.Incompliance, nil
}
