package service

import (
	"context"
	"errors"
)

// DoDuties does one round of what Run does by itself, without a clock of its own: the mark that the database is in
// use, the silence of agents and the leases that ran out.
func (s *Service) DoDuties(ctx context.Context) error { return s.perform(ctx, nil) }

// AskAgain does one round of the duty that asks the Matchmaker again.
func (s *Service) AskAgain(ctx context.Context) error { return errors.Join(s.rematch(ctx)) }
