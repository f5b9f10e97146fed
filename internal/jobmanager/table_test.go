package jobmanager_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/icos-jobmanager/jobmanager/internal/jobmanager"
)

// cell is what a verb made of a job.
type cell struct {
	before, after jobmanager.Job
	events        []jobmanager.Event // about the job, or that it goes with its group
	err           error
}

// played is the cell of a situation and a verb.
func played(s situation, v verb) *cell {
	scene := s.scene()
	c := &cell{before: *scene.j}
	var events []jobmanager.Event
	events, c.err = v.do(scene)
	c.after = *scene.j
	for _, event := range events {
		if event.JobID == c.before.ID || event.Type == jobmanager.JobGroupDeleted {
			c.events = append(c.events, event)
		}
	}
	return c
}

// String is what became of the job and which events tell it, "-" for a no-op, else the refusal.
func (c *cell) String() string {
	changed := !cmp.Equal(c.before, c.after)
	switch {
	case c.err != nil && changed:
		return "CHANGED DESPITE " + string(jobmanager.CodeOf(c.err))
	case c.err != nil:
		return string(jobmanager.CodeOf(c.err))
	case !changed && len(c.events) == 0:
		return "-"
	case !changed:
		return strings.Join(told(c.events), " ")
	case len(c.events) == 0:
		return describe(c) + ": no event"
	}
	return describe(c) + ": " + strings.Join(told(c.events), " ")
}

// describe says how the job stands after the verb.
func describe(c *cell) string {
	j := c.after
	if j.Deleted {
		return "gone"
	}
	kind := strings.TrimSuffix(strings.ToLower(string(j.Type)), "_deployment")
	if j.SubType != "" {
		kind += " " + string(j.SubType)
	}
	words := []string{kind + "/" + strings.ToLower(string(j.State)), "W " + strings.ToLower(string(j.Workload))}
	add := func(when bool, format string, args ...any) {
		if when {
			words = append(words, fmt.Sprintf(format, args...))
		}
	}
	add(j.Owner != "", "owner %s", j.Owner)
	add(j.Epoch != c.before.Epoch, "epoch+%d", j.Epoch-c.before.Epoch)
	add(j.Generation != c.before.Generation, "generation+%d", j.Generation-c.before.Generation)
	add(j.Attempt != c.before.Attempt, "attempts %d", j.Attempt)
	add(j.Hold != "", "%s", j.Hold)
	add(j.NotBefore.After(start), "not before +%s", j.NotBefore.Sub(start))
	add(j.Turn.Of != "", "first %s", strings.ToLower(string(j.Turn.Of)))
	add(j.Reservation.HeldAt(start), "handed out to %s", j.Reservation.OwnerID)
	add(j.Target == nil, "no target")
	add(j.Target != nil && j.Target.Cluster != "c1", "on %s", clusterOf(j.Target))
	add(j.ManifestCount != c.before.ManifestCount, "%d manifests", j.ManifestCount)
	add(j.Outdated, "outdated")
	add(j.Queued != nil, "queued")
	add(j.Move != nil && j.Move.To == nil, "to move")
	add(j.Move != nil && j.Move.To != nil, "to go to %s", moveTo(j.Move))
	add(j.Sequel != "", "then %s", strings.ToLower(string(j.Sequel)))
	add(uidOf(&j) != "" && uidOf(&j) != uidOf(&c.before), "its workload %s", uidOf(&j))
	add(len(j.Strays) > 0, "strays %s", strays(&j))
	add(j.Polls > 0, "polls %d", j.Polls)
	return strings.Join(words, ", ")
}

func uidOf(j *jobmanager.Job) jobmanager.Text {
	if j.Resource == nil {
		return ""
	}
	return j.Resource.UID
}

func clusterOf(t *jobmanager.Target) string {
	if t == nil {
		return ""
	}
	return t.Cluster
}

func moveTo(m *jobmanager.Move) string {
	if m == nil {
		return ""
	}
	return clusterOf(m.To)
}

// TestEveryCellOfStateAndVerbIsDecided compares the whole table with testdata/state-x-verb.txt, which people
// read and agree on: for each situation each result once, with the verbs that end in it. Whoever changes a rule
// reads each cell that differs and says why; `go test -artifacts` keeps the table as the rules have it.
func TestEveryCellOfStateAndVerbIsDecided(t *testing.T) {
	t.Parallel()
	const file = "testdata/state-x-verb.txt"
	var table strings.Builder
	for _, situation := range situations() {
		fmt.Fprintln(&table, situation.name)
		var results []string
		verbsOf := map[string][]string{}
		for _, verb := range verbs() {
			result := played(situation, verb).String()
			if verbsOf[result] == nil {
				results = append(results, result)
			}
			verbsOf[result] = append(verbsOf[result], verb.name)
		}
		for _, result := range results {
			fmt.Fprintf(&table, "    %s => %s\n", strings.Join(verbsOf[result], "; "), result)
		}
	}
	decided, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(decided), table.String()); diff != "" {
		t.Errorf("the rules differ from the table (-decided +rules):\n%s", diff)
		if err := os.WriteFile(filepath.Join(t.ArtifactDir(), "state-x-verb.txt"), []byte(table.String()), 0o600); err != nil {
			t.Error(err)
		}
	}
}
