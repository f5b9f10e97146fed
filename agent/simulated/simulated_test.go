package simulated_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"github.com/icos-jobmanager/jobmanager/agent"
	"github.com/icos-jobmanager/jobmanager/agent/simulated"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func job(id string, generation int64) agent.Job {
	return agent.Job{
		ID: id, Component: "web", Type: agent.CreateDeployment, Generation: generation, Epoch: generation, Attempt: 1,
		Target: agent.Target{Cluster: "edge-1"},
	}
}

func conditions(all []agent.Condition) string {
	var text strings.Builder
	for _, c := range all {
		fmt.Fprintf(&text, "%s=%s ", c.Type, c.Status)
	}
	return text.String()
}

func TestAWorkloadStandsUntilItIsDeleted(t *testing.T) {
	t.Parallel()
	d := simulated.New(simulated.Config{})
	first, err := d.Apply(t.Context(), job("j1", 1))
	if err != nil || first.UID == "" || first.Name != "web" {
		t.Fatalf("applied %+v, %v", first, err)
	}
	again, err := d.Apply(t.Context(), job("j1", 1))
	if err != nil || again.UID != first.UID || d.Done("j1", 1) != 2 {
		t.Errorf("applied again: %+v, %v, %d times", again, err, d.Done("j1", 1))
	}
	if all := d.Workloads(); len(all) != 1 || all[0].Cluster != "edge-1" || all[0].UID != first.UID || all[0].Replicas != 1 {
		t.Errorf("stands %+v", all)
	}
	for range 2 {
		if err := d.Delete(t.Context(), job("j1", 2)); err != nil || len(d.Workloads()) != 0 {
			t.Errorf("deleted: %v, stands %v", err, d.Workloads())
		}
	}
	if fresh, err := d.Apply(t.Context(), job("j1", 3)); err != nil || fresh.UID == first.UID {
		t.Errorf("a new workload has uid %s, %v", fresh.UID, err)
	}
}

func TestUpdatesScaleRemoveAndRefuse(t *testing.T) {
	t.Parallel()
	d := simulated.New(simulated.Config{})
	update := func(subType string) error {
		j := job("j1", 2)
		j.Type, j.SubType = agent.UpdateDeployment, subType
		_, err := d.Update(t.Context(), j)
		return err
	}
	if update("scale-up") == nil {
		t.Error("updated what does not stand")
	}
	if _, err := d.Apply(t.Context(), job("j1", 1)); err != nil {
		t.Fatal(err)
	}
	for i, step := range []struct {
		subType  string
		replicas int
	}{{"scale-up", 2}, {"scale-out", 3}, {"scale-in", 2}, {"scale-down", 1}, {"scale-down", 1}, {"patch", 1}} {
		if err := update(step.subType); err != nil || d.Workloads()[0].Replicas != step.replicas {
			t.Errorf("step %d: %v, %+v", i, err, d.Workloads())
		}
	}
	if update("levitate") == nil {
		t.Error("carried out an unknown remediation")
	}
	if err := update("reallocation"); err != nil || len(d.Workloads()) != 0 {
		t.Errorf("reallocated: %v, stands %v", err, d.Workloads())
	}
}

func TestTheSeedDecidesWhatFails(t *testing.T) {
	t.Parallel()
	outcomes := func(seed uint64) (failed []bool, failures int) {
		d := simulated.New(simulated.Config{FailureRate: 0.3, Seed: seed})
		for i := range 200 {
			_, err := d.Apply(t.Context(), job(strconv.Itoa(i), 1))
			failed = append(failed, err != nil)
			if err != nil {
				failures++
			}
		}
		return failed, failures
	}
	first, failures := outcomes(7)
	if again, _ := outcomes(7); !slices.Equal(again, first) {
		t.Error("the same seed decided otherwise")
	}
	if other, _ := outcomes(8); slices.Equal(other, first) {
		t.Error("another seed decided the same")
	}
	if failures < 40 || failures > 80 {
		t.Errorf("%d of 200 failed", failures)
	}
}

func TestItTakesItsTimeAndLetsGoAtOnce(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		d := simulated.New(simulated.Config{Latency: time.Minute, Jitter: 30 * time.Second})
		began := time.Now()
		if _, err := d.Apply(t.Context(), job("j1", 1)); err != nil {
			t.Fatal(err)
		}
		if took := time.Since(began); took < time.Minute || took > 90*time.Second {
			t.Errorf("took %s", took)
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if _, err := d.Apply(ctx, job("j2", 1)); !errors.Is(err, agent.ErrUntouched) || d.Done("j2", 1) != 0 {
			t.Errorf("cut short: %v", err)
		}
		if err := d.Delete(ctx, job("j1", 2)); err == nil || errors.Is(err, agent.ErrUntouched) || len(d.Workloads()) != 1 {
			t.Errorf("cut short: %v", err)
		}
	})
}

func TestTheStreamTellsEachChangeOnce(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		d := simulated.New(simulated.Config{StatusEvery: time.Second})
		first, err := d.Apply(t.Context(), job("j1", 1))
		if err != nil || conditions(first.Conditions) != "Applied=TRUE Progressing=TRUE " {
			t.Errorf("applied with %s", conditions(first.Conditions))
		}
		var told []agent.Status
		answers := []error{errors.New("later"), nil, nil}
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error)
		go func() {
			done <- d.Watch(ctx, func(s agent.Status) error {
				told = append(told, s)
				return answers[len(told)-1]
			})
		}()
		<-time.After(time.Minute)
		synctest.Wait()
		if len(told) != 2 || conditions(told[1].Conditions) != "Applied=TRUE Progressing=FALSE Available=TRUE Degraded=FALSE " {
			t.Fatalf("told %+v", told)
		}
		if at := told[1].Conditions[0].LastTransitionTime; !at.Equal(first.Conditions[0].LastTransitionTime) {
			t.Errorf("Applied moved to %s though its status stayed", at)
		}
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
}

func TestTheStreamTellsEverythingAgainNowAndThen(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		d := simulated.New(simulated.Config{StatusEvery: time.Second, RepeatEvery: time.Minute})
		if _, err := d.Apply(t.Context(), job("j1", 1)); err != nil {
			t.Fatal(err)
		}
		told := 0
		ctx, cancel := context.WithTimeout(t.Context(), 3*time.Minute+30*time.Second)
		defer cancel()
		err := d.Watch(ctx, func(agent.Status) error {
			told++
			return nil
		})
		if err != nil || told != 4 {
			t.Errorf("told %d times in three and a half minutes, %v", told, err)
		}
	})
}

func TestAFlakyWorkloadComesAndGoes(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		d := simulated.New(simulated.Config{StatusEvery: time.Second, FlakyRate: 0.5, Seed: 1})
		if _, err := d.Apply(t.Context(), job("j1", 1)); err != nil {
			t.Fatal(err)
		}
		seen := map[string]int{}
		for range 100 {
			<-time.After(time.Second)
			seen[conditions(d.Workloads()[0].Conditions)]++
		}
		up := seen["Applied=TRUE Progressing=FALSE Available=TRUE Degraded=FALSE "]
		down := seen["Applied=TRUE Progressing=FALSE Available=FALSE Degraded=TRUE "]
		if up+down != 100 || up < 30 || down < 30 {
			t.Errorf("seen %v", seen)
		}
	})
}

func TestAgentsThatShareItTellOnlyTheirOwn(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		d := simulated.New(simulated.Config{StatusEvery: time.Second})
		for _, id := range []string{"mine", "theirs"} {
			if _, err := d.Apply(t.Context(), job(id, 1)); err != nil {
				t.Fatal(err)
			}
		}
		asked := map[string]int{}
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		err := d.Watch(ctx, func(s agent.Status) error {
			asked[s.JobID]++
			if s.JobID == "theirs" {
				return agent.ErrUnclaimed
			}
			return nil
		})
		if err != nil || asked["mine"] != 1 || asked["theirs"] != 1 {
			t.Errorf("asked %v, %v", asked, err)
		}
	})
}
