package service

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"github.com/icos-jobmanager/jobmanager/internal/jobmanager"
)

const (
	// mostNotices are taken in one round, each of another group; notifiers tell that many at once.
	mostNotices = 50
	notifiers   = 5
)

// notify tells the Policy Manager what it is due to hear, round after round until nothing is: each round brings
// every group one notice further.
func (s *Service) notify(ctx context.Context) error {
	if s.PolicyManager == nil {
		return nil
	}
	for ctx.Err() == nil {
		token, err := s.Token() // before anything is taken: to take a notice counts as an attempt
		if err != nil {
			return err
		}
		// Whoever takes a notice has it to himself for longer than all calls of a round may last.
		notices, err := s.Store.DueNotices(ctx, mostNotices, 3*mostNotices/notifiers*s.NoticeLimits.Timeout)
		if err != nil || len(notices) == 0 {
			return err
		}
		if err := s.tellAll(ctx, notices, token); err != nil {
			return err
		}
	}
	return nil
}

// tellAll delivers notices, a few at a time, and returns when all are settled.
func (s *Service) tellAll(ctx context.Context, notices []*jobmanager.Notice, token jobmanager.Token) (err error) {
	work := make(chan *jobmanager.Notice)
	failures := make(chan error, len(notices))
	var telling sync.WaitGroup
	for range notifiers {
		telling.Go(func() {
			for notice := range work {
				failures <- s.tell(ctx, notice, token)
			}
		})
	}
	for _, notice := range notices {
		work <- notice
	}
	close(work)
	telling.Wait()
	close(failures)
	for failure := range failures {
		err = errors.Join(err, failure)
	}
	return err
}

// tell delivers one notice and stores what became of it, also when the server stops meanwhile.
func (s *Service) tell(ctx context.Context, notice *jobmanager.Notice, token jobmanager.Token) error {
	failure := s.call(ctx, *notice, token)
	if ctx.Err() != nil && failure != nil {
		return nil //nolint:nilerr // the server stops: it is told again once nobody has it any more
	}
	settling := context.WithoutCancel(ctx)
	if failure == nil {
		return s.Store.SettleNotice(settling, notice, jobmanager.NoticeResult{
			Delivered: true, Message: fmt.Sprintf("the Policy Manager was told: %s", notice.Kind),
		})
	}
	attempts := notice.Attempts + 1
	at, again := s.NoticeLimits.NextTry(attempts, jobmanager.CodeOf(failure) == jobmanager.CodeInvalid, s.Clock.Now())
	s.Logger.WarnContext(ctx, "the Policy Manager was not told", "group", notice.GroupID, "event", notice.Kind,
		"attempt", attempts, "givenUp", !again, "error", failure)
	if again {
		return s.Store.SettleNotice(settling, notice, jobmanager.NoticeResult{NotBefore: at})
	}
	s.Metrics.NoticesGivenUp.Inc()
	return s.Store.SettleNotice(settling, notice, jobmanager.NoticeResult{
		GivenUp: true,
		Message: fmt.Sprintf("the Policy Manager could not be told: %s, after %d attempts: %s", notice.Kind, attempts, jobmanager.Sentence(failure)),
	})
}

// call tells the Policy Manager. A created that may have reached it before is told as a new one, for it is not
// idempotent there.
func (s *Service) call(ctx context.Context, notice jobmanager.Notice, token jobmanager.Token) error {
	if notice.Kind == jobmanager.NoticeCreated && notice.Attempts > 0 {
		again := notice
		again.Kind = jobmanager.NoticeDeleted
		if err := s.callOnce(ctx, again, token); err != nil {
			return err
		}
	}
	return s.callOnce(ctx, notice, token)
}

func (s *Service) callOnce(ctx context.Context, notice jobmanager.Notice, token jobmanager.Token) error {
	ctx, cancel := context.WithTimeout(ctx, s.NoticeLimits.Timeout)
	defer cancel()
	return s.PolicyManager.Notify(ctx, notice, token)
}
