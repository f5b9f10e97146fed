package store

import (
	"context"

	"github.com/icos-jobmanager/jobmanager/internal/jobmanager"
)

// Idempotent finds what an earlier request with the same key made; see jobmanager.Reader.
func (s *Store) Idempotent(ctx context.Context, request jobmanager.Idempotency) (jobmanager.ID, error) {
	if request.Key == "" {
		return "", nil
	}
	var rows []idempotencyRow
	err := s.read.NewSelect().Model(&rows).Where("tenant = ?", request.Tenant).
		Where("operation = ?", request.Operation).Where("key = ?", plain(request.Key)).Scan(ctx)
	switch {
	case err != nil:
		return "", s.dialect.translate(err)
	case len(rows) == 0:
		return "", nil
	case rows[0].Hash != request.Hash:
		return "", jobmanager.Errorf(jobmanager.CodeIdempotencyMismatch,
			"the idempotency key was used before with another input: take a new key for a new request")
	}
	return rows[0].Result, nil
}

// remember keeps the key of a request, with what the request made. A key that is taken is CONFLICT.
func (w *writing) remember(ctx context.Context, request jobmanager.Idempotency) error {
	if request.Key == "" {
		return nil
	}
	row := idempotencyRow{
		Tenant: request.Tenant, Operation: request.Operation, Key: plain(request.Key),
		Hash: request.Hash, Result: request.Result, CreatedAt: w.now,
	}
	_, err := w.tx.NewInsert().Model(&row).Exec(ctx)
	return err
}
