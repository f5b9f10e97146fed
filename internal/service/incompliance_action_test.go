package service_test

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	"pgregory.net/rapid"

	"github.com/icos-jobmanager/jobmanager/internal/jobmanager"
	"github.com/icos-jobmanager/jobmanager/internal/service"
)

// subject is what an incompliance is about, and which jobs that must find.
type subject struct {
	service.SubjectInput
	finds []jobmanager.ID
}

// someSubject draws a way to name jobs.
func (w *world) someSubject(r *rapid.T, l *ledger) subject {
	s := subject{SubjectInput: service.SubjectInput{AppInstance: jobmanager.Text(l.group)}}
	members := w.membersOf(l.group)
	called := func(name string) []jobmanager.ID {
		return idsIn(members, func(l *ledger) bool { return l.component == name || l.names[name] })
	}
	switch oneOf[string](r, "subject", "component", "component", "resource", "star", "expression", "uid", "id", "nobody") {
	case "component":
		s.AppComponent, s.finds = jobmanager.Text(l.component), called(l.component)
	case "resource":
		s.AppComponent = jobmanager.Text(l.component + "-renamed")
		s.finds = called(l.component + "-renamed")
	case "star":
		s.AppComponent, s.finds = "*", idsIn(members, func(*ledger) bool { return true })
	case "expression":
		s.AppComponent = "/api|w.b/"
		expression := regexp.MustCompile("^(api|w.b)$")
		s.finds = idsIn(members, func(l *ledger) bool { return expression.MatchString(l.component) })
	case "uid":
		uid := string(l.id)[24:] + "-uid-1"
		s.AppInstance, s.ResourceID = "", jobmanager.Text(uid)
		s.finds = idsIn(w.membersOfAll(), func(l *ledger) bool { return l.uids[uid] })
	case "id":
		s.AppInstance = ""
		if l.resource != nil {
			s.ResourceID, s.finds = jobmanager.Text(w.row(l).Resource.ID), []jobmanager.ID{l.id}
		}
	default:
		s.AppInstance = jobmanager.Text(numberedID(1 << 40))
		s.AppComponent = jobmanager.Text(l.component)
	}
	return s
}

// reportIncompliance: the Policy Manager reports that a policy is broken, maybe once more.
func (w *world) reportIncompliance(r *rapid.T) {
	state := oneOf(r, "state", jobmanager.Finished, jobmanager.Finished, jobmanager.Progressing, jobmanager.Degraded)
	if l := w.someJobWith(r, func(l *ledger) bool { return l.state == state && isNoDelete(l) }); l != nil {
		w.reportAbout(r, w.someSubject(r, l), someRemedy(r))
	}
}

func someRemedy(r *rapid.T) string {
	return oneOf(r, "remediation", "scale-up", "scale-up", "scale-out", "patch", "reallocation", "reallocation", "redeploy", "migrate", "none", "", "explode")
}

// reportAbout: one report about a subject.
func (w *world) reportAbout(r *rapid.T, about subject, remedy string) {
	again := len(w.reports) > 0 && once(r, "again", 6)
	id := numberedID(int64(1)<<41 + int64(len(w.reports)))
	if again {
		id = oneOf(r, "report", w.reports...)
	} else {
		w.reports = append(w.reports, id)
	}
	rows := w.seen.jobs
	var got *jobmanager.Incompliance
	w.do(r, step{
		call: call{verb: verbIncompliance}, what: fmt.Sprintf("incompliance %s wants %q of %+v", id, remedy, about.SubjectInput), quiet: again,
		about: about.finds,
		run: func() error {
			payload, err := w.ReportIncompliance(w.ctx, policyManager(), service.ReportIncomplianceInput{
				ID: &id, Subject: about.SubjectInput, Remediation: remedy, PolicyName: "latency",
			})
			if err == nil {
				got = payload.Incompliance
			}
			return err
		},
		tell: func([]*jobmanager.Event) error { return w.checkAnswersTo(got, about, remedy, rows) },
	})
}

// checkAnswersTo holds the answers to what the design says of each job that was found.
func (w *world) checkAnswersTo(i *jobmanager.Incompliance, about subject, remedy string, rows map[jobmanager.ID]*jobmanager.Job) error {
	var found []jobmanager.ID
	for _, answer := range i.Remediations {
		found = append(found, answer.JobID)
		want := expectedAnswers(w.jobs[answer.JobID], rows[answer.JobID], remedy)
		if !slices.Contains(want, answer.Outcome) {
			return fmt.Errorf("the answer of job %s is %s (%s), want one of %s", answer.JobID, answer.Outcome, answer.Reason, want)
		}
	}
	slices.Sort(found)
	slices.Sort(about.finds)
	if !slices.Equal(found, about.finds) || (len(found) == 0) != strings.HasPrefix(string(i.Reason), "NoSuchJob") {
		return fmt.Errorf("it is about %v (%s), want %v", found, i.Reason, about.finds)
	}
	return nil
}

// expectedAnswers are those that a job may give, by how it stood before.
func expectedAnswers(l *ledger, before *jobmanager.Job, remedy string) []jobmanager.RemediationOutcome {
	runs := before.Type != jobmanager.DeleteDeployment &&
		(before.Type != jobmanager.CreateDeployment || before.State == jobmanager.Finished || before.State == jobmanager.Progressing)
	moves := slices.Contains([]string{"reallocation", "redeploy", "migrate"}, remedy)
	switch {
	case remedy == "explode":
		return []jobmanager.RemediationOutcome{jobmanager.RemediationRefused}
	case remedy == "" || remedy == "none":
		return []jobmanager.RemediationOutcome{jobmanager.RemediationRecorded}
	case !runs:
		return []jobmanager.RemediationOutcome{jobmanager.RemediationRefused}
	case before.Cooling == nil && before.Move == nil && before.State == jobmanager.Finished && !moves:
		return []jobmanager.RemediationOutcome{jobmanager.RemediationStarted}
	case l.epoch != before.Epoch:
		return []jobmanager.RemediationOutcome{jobmanager.RemediationStarted}
	}
	return []jobmanager.RemediationOutcome{jobmanager.RemediationCoalesced, jobmanager.RemediationWaiting}
}
