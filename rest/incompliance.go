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
	if !reported.Incompliance.Known() {
		return nil, jobmanager.Errorf(codeUnknownRemediation, "UnknownRemediation: %q is none of those that are known; it was recorded", reported.Incompliance.Remediation)
	}
	return reported.Incompliance, nil
}
