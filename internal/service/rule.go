package service

import (
	"time"

	"github.com/icos-jobmanager/jobmanager/internal/jobmanager"
)

// Rules of the domain, bound to one request, in the form that the store runs.

func stopRule(expected *int64) jobmanager.GroupRule {
	return func(g *jobmanager.JobGroup, now time.Time) ([]jobmanager.Event, error) {
		if err := g.CheckVersion(expected); err != nil {
			return nil, err
		}
		return g.Stop(now), nil
	}
}

func deleteRule(expected *int64, stopFirst bool) jobmanager.GroupRule {
	return func(g *jobmanager.JobGroup, now time.Time) ([]jobmanager.Event, error) {
		if err := g.CheckVersion(expected); err != nil {
			return nil, err
		}
		return g.Delete(stopFirst, now)
	}
}

func claimRule(claim jobmanager.Claim) jobmanager.JobRule {
	return func(j *jobmanager.Job, now time.Time) ([]jobmanager.Event, error) { return j.Claim(claim, now) }
}

func expireRule(lc jobmanager.LifeCycle) jobmanager.JobRule {
	return func(j *jobmanager.Job, now time.Time) ([]jobmanager.Event, error) { return j.Expire(lc, now), nil }
}
