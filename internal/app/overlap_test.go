package app_test

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/icos-jobmanager/jobmanager/internal/app/apptest"
)

// atOnce is how many callers overlap; a change that asks the Matchmaker is planned as often before it is given up.
const atOnce = 5

// together sends mutations at once and gives their answers.
func together(t *testing.T, c *apptest.Client, verb, selection string, input func(n int) map[string]any) []apptest.Answer {
	t.Helper()
	answers := make([]apptest.Answer, atOnce)
	var all sync.WaitGroup
	for n := range atOnce {
		all.Go(func() {
			var err error
			answers[n], err = c.Do(context.WithoutCancel(t.Context()), mutation(verb, selection), apptest.Vars{"input": input(n)})
			if err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	return answers
}

// codes counts answers by their codes: "7 ok, 3 VERSION_CONFLICT".
func codes(answers []apptest.Answer) string {
	count := map[string]int{}
	for _, answer := range answers {
		code := answer.Code()
		if code == "" {
			code = "ok"
		}
		count[code]++
	}
	var words []string
	for code, n := range count {
		words = append(words, fmt.Sprintf("%d %s", n, code))
	}
	slices.Sort(words)
	return strings.Join(words, ", ")
}

// TestOfUpdatesThatOverlapEachIsAppliedOrRefused updates one application many times at once.
func TestOfUpdatesThatOverlapEachIsAppliedOrRefused(t *testing.T) {
	t.Parallel()
	apptest.EachDatabase(t, func(t *testing.T, url string) {
		peer := newGuide(t, "hill/ocm")
		s := apptest.Start(t, apptest.Options{DatabaseURL: url, Configure: peer.use})
		group := create(t, s.Client, describe("app", part{name: "web"}))
		grown := func(n int) string { // each asks the Matchmaker, in between
			return describe("app", part{name: "web"}, part{name: fmt.Sprintf("extra-%d", n)})
		}
		guarded := together(t, s.Client, "updateJobGroup", "__typename", func(n int) map[string]any {
			return map[string]any{"jobGroupId": group.ID, "descriptor": grown(n), "expectedVersion": 1}
		})
		if got := codes(guarded); got != "1 ok, 4 VERSION_CONFLICT" {
			t.Errorf("of those that expect the same version: %s", got)
		}
		free := together(t, s.Client, "updateJobGroup", "__typename", func(n int) map[string]any {
			return map[string]any{"jobGroupId": group.ID, "descriptor": grown(atOnce + n)}
		})
		if got := codes(free); got != "5 ok" {
			t.Errorf("of those that expect nothing: %s", got)
		}
		keyed := together(t, s.Client, "updateJobGroup", "jobGroup { generation }", func(int) map[string]any {
			return map[string]any{"jobGroupId": group.ID, "descriptor": describe("app", part{name: "web"}), "idempotencyKey": "back"}
		})
		if got := codes(keyed); got != "5 ok" {
			t.Errorf("of those with one key: %s", got)
		}
		now := seeGroup(t, s.Client, group.ID)
		if now.Generation != 1+1+atOnce+1 || len(now.Jobs.Nodes) != 1 {
			t.Errorf("in the end the group is %+v", now)
		}
		updated := eventsAfter(t, s.Client, "", map[string]any{"types": []string{"JOB_GROUP_UPDATED"}})
		if len(updated) != 1+atOnce+1 {
			t.Errorf("%d updates are told", len(updated))
		}
	})
}

// TestAReportThatComesManyTimesAtOnceCountsOnce sends one incompliance as impatient senders do.
func TestAReportThatComesManyTimesAtOnceCountsOnce(t *testing.T) {
	t.Parallel()
	apptest.Each(t, func(t *testing.T, s *apptest.Server) {
		group := create(t, s.Client, describe("app", pinned("web", ""), pinned("db", "")))
		for _, j := range group.Jobs.Nodes {
			perform(t, s.Client, j.ID, "hub")
		}
		same := together(t, s.Client, "reportIncompliance", "incompliance { id remediations { component outcome } }", func(int) map[string]any {
			return map[string]any{"id": "0190c5a2-7b1e-7c3d-9f00-5b8d3e1a2c02", "subject": about(group.ID, "*"), "remediation": "scale-up"}
		})
		var first json.RawMessage
		for n, answer := range same {
			if n == 0 {
				first = answer.Data
			}
			if answer.Code() != "" || cmp.Diff(string(first), string(answer.Data)) != "" {
				t.Errorf("answer %d differs: %+v %s", n, answer.Errors, answer.Data)
			}
		}
		others := together(t, s.Client, "reportIncompliance", "__typename", func(int) map[string]any {
			return map[string]any{"subject": about(group.ID, "*"), "remediation": "scale-up"}
		})
		if got := codes(others); got != "5 ok" {
			t.Errorf("of reports of the same: %s", got)
		}
		if told := eventsAfter(t, s.Client, "", map[string]any{"types": []string{"INCOMPLIANCE_REPORTED"}}); len(told) != 1+atOnce {
			t.Errorf("%d reports are told", len(told))
		}
		if told := eventsAfter(t, s.Client, "", map[string]any{"types": []string{"JOB_REMEDIATED"}}); len(told) != 2 {
			t.Errorf("%d jobs are remedied, want each once", len(told))
		}
	})
}

// TestAStartThatComesManyTimesAtOnceStartsOnce starts a stopped application from many places.
func TestAStartThatComesManyTimesAtOnceStartsOnce(t *testing.T) {
	t.Parallel()
	apptest.Each(t, func(t *testing.T, s *apptest.Server) {
		group := create(t, s.Client, describe("app", pinned("web", "")))
		stop(t, s.Client, group.ID)
		started := together(t, s.Client, "startJobGroup", "__typename", func(int) map[string]any {
			return map[string]any{"jobGroupId": group.ID}
		})
		if now := seeGroup(t, s.Client, group.ID); codes(started) != "5 ok" || now.Generation != 3 || now.Jobs.Nodes[0].Generation != 3 {
			t.Errorf("started as %+v: %s", now, codes(started))
		}
	})
}
