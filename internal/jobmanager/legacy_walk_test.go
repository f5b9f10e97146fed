package jobmanager_test

import (
	"time"

	"pgregory.net/rapid"

	"github.com/icos-jobmanager/jobmanager/internal/jobmanager"
)

// drawn is who does something, about which workload, and when.
type drawn struct {
	owner jobmanager.OwnerID
	uid   string
	now   time.Time
}

// legacySteps are what agents do that execute without asking, and the admin who helps them out.
func legacySteps(r *rapid.T, d drawn) map[string]func(scene) ([]jobmanager.Event, error) {
	coming := rapid.Int64Range(-1, 2).Draw(r, "coming")
	alone := rapid.Bool().Draw(r, "alone")
	quietly := func(events []jobmanager.Event) ([]jobmanager.Event, error) { return events, nil }
	report := jobmanager.ResourceReport{UID: d.uid, Name: "web-ev" + d.uid + "aa", Whole: true}
	return map[string]func(scene) ([]jobmanager.Event, error){
		"work": func(s scene) ([]jobmanager.Event, error) {
			work := workOf(d.owner, s.j.Type, s.j.Epoch+coming)
			if coming == 2 {
				work.Epoch = 0
			}
			work.Resource = report
			return s.j.ReportWork(work, d.now)
		},
		"unlock":   func(s scene) ([]jobmanager.Event, error) { return s.j.Unlock(d.owner, life(), d.now) },
		"evidence": func(s scene) ([]jobmanager.Event, error) { return quietly(s.j.Evidence(d.owner, report, d.now)) },
		"mistaken": func(s scene) ([]jobmanager.Event, error) {
			return s.j.Mistaken(fence(d.owner, s.j.Epoch-1), d.now)
		},
		"poll": func(s scene) ([]jobmanager.Event, error) { return quietly(s.j.Polled(d.owner, d.now)) },
		"sync": func(s scene) ([]jobmanager.Event, error) {
			return s.j.Synced(jobmanager.ResourceReport{UID: d.uid}, life(), d.now)
		},
		"recognize": func(s scene) ([]jobmanager.Event, error) {
			if !s.j.Fits("hub-"+string(d.owner), "web-x7k2p", d.now) {
				return nil, nil
			}
			return quietly(s.j.Recognize(jobmanager.Stray{UID: jobmanager.Text(d.uid), Name: "web-x7k2p", SeenAt: d.now}, alone, d.now))
		},
		"adopt": func(s scene) ([]jobmanager.Event, error) { return s.j.Adopt(d.uid, d.now) },
	}
}
