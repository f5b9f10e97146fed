package agent

import (
	"errors"
	"testing"
)

func TestTheJobTouchedLongestAgoIsForgottenFirst(t *testing.T) {
	t.Parallel()
	m := newMemory(2)
	for _, id := range []string{"j1", "j2"} {
		m.claimed(Job{ID: id, Epoch: 1})
		m.finished(Job{ID: id, Epoch: 1}, Result{UID: id})
	}
	m.claimed(Job{ID: "j1", Epoch: 2})
	m.claimed(Job{ID: "j3", Epoch: 1})
	if _, err := m.epoch("j2"); !errors.Is(err, ErrUnclaimed) {
		t.Errorf("j2: %v", err)
	}
	if result, known := m.recall(Job{ID: "j1", Epoch: 2}); !known || result.UID != "j1" {
		t.Errorf("j1: %v, %v", result, known)
	}
	if m.recent.Len() != 2 || len(m.byJob) != 2 {
		t.Errorf("remembers %d jobs", len(m.byJob))
	}
}

func TestAStaleAnswerToAnOldEpochDoesNotSilenceANewerClaim(t *testing.T) {
	t.Parallel()
	m := newMemory(2)
	m.claimed(Job{ID: "j1", Epoch: 3})
	m.outdated("j1", 2)
	if epoch, err := m.epoch("j1"); epoch != 3 || err != nil {
		t.Errorf("epoch %d, %v", epoch, err)
	}
	m.outdated("j1", 3)
	if _, err := m.epoch("j1"); !errors.Is(err, ErrStale) {
		t.Errorf("after its own stale answer: %v", err)
	}
}
