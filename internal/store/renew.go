package store

import (
	"context"
	"slices"
	"strings"
	"time"

	"github.com/uptrace/bun"

	"github.com/icos-jobmanager/jobmanager/internal/jobmanager"
)

// renewalRow is one lease to renew, with names of its own beside those of a job.
type renewalRow struct {
	bun.BaseModel `bun:"table:_renewal"`

	JobID   jobmanager.ID `bun:"job_id,type:uuid"`
	AtEpoch int64         `bun:"at_epoch,type:bigint"`
}

// RenewLeases extends leases in one statement; see jobmanager.Writer. It writes no event, takes no revision and
// leaves the jobs' versions: whoever changes a job holds its row, or reads it again.
func (s *Store) RenewLeases(
	ctx context.Context, owner jobmanager.OwnerID, renewals []jobmanager.Renewal,
) (map[jobmanager.ID]time.Time, error) {
	rows := make([]renewalRow, len(renewals))
	for i, renewal := range renewals {
		if err := checkIDs(renewal.JobID); err != nil {
			return nil, err
		}
		rows[i] = renewalRow{JobID: renewal.JobID, AtEpoch: renewal.Epoch}
	}
	ends := map[jobmanager.ID]time.Time{}
	if len(rows) == 0 {
		return ends, nil
	}
	// In the order of the ids, as everyone locks jobs.
	slices.SortFunc(rows, func(a, b renewalRow) int { return strings.Compare(string(a.JobID), string(b.JobID)) })
	err := s.untilWon(ctx, func() error {
		now := s.clock.Now().UnixMicro()
		var renewed []struct {
			ID         jobmanager.ID
			LeaseUntil int64
		}
		err := s.write.NewUpdate().With("_renewal", s.write.NewValues(&rows)).Model((*jobRow)(nil)).TableExpr("_renewal").
			Set("lease_until = ? + job.lease_seconds * 1000000", now).
			Where("job.id = _renewal.job_id AND job.epoch = _renewal.at_epoch").
			Where("job.owner_id = ?", plain(owner)).
			Where("job.state = 'PROGRESSING' AND job.lease_until > ?", now).
			Returning("id, lease_until").Scan(ctx, &renewed)
		clear(ends)
		for _, job := range renewed {
			ends[job.ID] = time.UnixMicro(job.LeaseUntil).UTC()
		}
		return ignoreNoRows(err)
	})
	if err != nil {
		return nil, err
	}
	return ends, nil
}
