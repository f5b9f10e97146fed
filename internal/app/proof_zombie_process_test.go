package app_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/icos-jobmanager/jobmanager/agent"
	"github.com/icos-jobmanager/jobmanager/internal/app/apptest"
)

// zombieEnv makes this test binary an agent process, which a test can stop and wake. It holds a zombieConfig.
const zombieEnv = "JOBMANAGER_TEST_AGENT"

// zombieConfig is what the agent process is told.
type zombieConfig struct{ URL, Owner, Target string }

// beZombie runs the agent until SIGTERM.
func beZombie() {
	var c zombieConfig
	if err := json.Unmarshal([]byte(os.Getenv(zombieEnv)), &c); err != nil {
		fmt.Fprintln(os.Stderr, err) // the test sees that nothing is ever claimed
		return
	}
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer stop()
	if err := agent.Run(ctx, slowAgent(c)); err != nil {
		fmt.Fprintln(os.Stderr, err)
	}
}

// slowAgent is an agent with the shortest lease whose driver never comes to an end by itself.
func slowAgent(c zombieConfig) agent.Config {
	driver := &slowDriver{zombieConfig: c, noted: make(chan agent.Job, 1)}
	return agent.Config{
		URL: c.URL, Orchestrator: "ocm", OwnerID: c.Owner, Driver: driver,
		Lease: 15 * time.Second, MinBackoff: 10 * time.Millisecond, MaxBackoff: 200 * time.Millisecond,
	}
}

// slowDriver writes into its target's diary each time that it touches the target, and how its work ended.
type slowDriver struct {
	zombieConfig
	noted chan agent.Job // whose context has ended
}

// Apply touches the target once a second, for as long as it may. The second is made of short waits, so that it is
// one of the process's own time: what passes while the process is stopped does not count.
func (d *slowDriver) Apply(ctx context.Context, job agent.Job) (agent.Result, error) {
	const touches, waits, wait = 1000, 100, 10 * time.Millisecond
	for range touches {
		d.note("touched", job)
		for range waits {
			select {
			case <-ctx.Done():
				d.note("let go: "+causeOf(ctx), job)
				d.tryAll(job)
				d.noted <- job
				return agent.Result{}, context.Cause(ctx)
			case <-time.After(wait):
			}
		}
	}
	return agent.Result{}, errors.New("nobody took the job away")
}

func causeOf(ctx context.Context) string {
	switch cause := context.Cause(ctx); {
	case errors.Is(cause, agent.ErrStale):
		return "stale"
	case errors.Is(cause, agent.ErrLeaseLost):
		return "lease lost"
	default:
		return cause.Error()
	}
}

// Watch reports a status once the work was taken away, as a stream does that knows nothing of leases.
func (d *slowDriver) Watch(ctx context.Context, report func(agent.Status) error) error {
	select {
	case <-ctx.Done():
		return nil
	case job := <-d.noted:
		err := report(agent.Status{JobID: job.ID, Conditions: []agent.Condition{{Type: "Available", Status: agent.ConditionFalse}}})
		d.note(fmt.Sprintf("status refused: %v", errors.Is(err, agent.ErrStale)), job)
		d.note("done", job)
	}
	return nil
}

// Update is none of the test's work.
func (d *slowDriver) Update(context.Context, agent.Job) (agent.Result, error) {
	return agent.Result{}, errors.New("not expected")
}

// Replace is none of the test's work.
func (d *slowDriver) Replace(context.Context, agent.Job) (agent.Result, error) {
	return agent.Result{}, errors.New("not expected")
}

// Delete is none of the test's work.
func (d *slowDriver) Delete(context.Context, agent.Job) error { return errors.New("not expected") }

// tryAll sends, past the SDK, every write that an agent can make, as one that knows no better would.
func (d *slowDriver) tryAll(job agent.Job) {
	c := apptest.NewClient(d.URL)
	defer c.Close()
	fence := func(more map[string]any) map[string]any {
		input := map[string]any{"jobId": job.ID, "ownerId": d.Owner, "epoch": job.Epoch}
		for key, value := range more {
			input[key] = value
		}
		return input
	}
	for _, write := range []struct {
		verb, kind, selection string
		input                 map[string]any
	}{
		{"finishJob", "FinishJobInput", "job { id }", fence(map[string]any{"resource": map[string]any{"uid": "of-the-zombie"}})},
		{"failJob", "FailJobInput", "job { id }", fence(map[string]any{"reason": "it slept"})},
		{"releaseJob", "ReleaseJobInput", "job { id }", fence(nil)},
		{"reportResource", "ReportResourceInput", "resource { id }", fence(map[string]any{"resource": map[string]any{"uid": "of-the-zombie"}})},
		{"renewLeases", "RenewLeasesInput", "results { code }", map[string]any{
			"ownerId": d.Owner, "leases": []any{map[string]any{"jobId": job.ID, "epoch": job.Epoch}},
		}},
	} {
		query := fmt.Sprintf("mutation($input: %s!) { done: %s(input: $input) { %s } }", write.kind, write.verb, write.selection)
		answer, err := c.Do(context.Background(), query, apptest.Vars{"input": write.input})
		code := answer.Code()
		var renewed struct {
			Done struct{ Results []struct{ Code string } }
		}
		if err == nil && code == "" && json.Unmarshal(answer.Data, &renewed) == nil && len(renewed.Done.Results) == 1 {
			code = renewed.Done.Results[0].Code
		}
		d.note(fmt.Sprintf("%s: %s", write.verb, code), job)
	}
}

// note writes a line into the diary of the job's target.
func (d *slowDriver) note(line string, job agent.Job) {
	file, err := os.OpenFile(filepath.Join(d.Target, job.ID), os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	if err == nil {
		_, err = fmt.Fprintf(file, "%s at epoch %d: %s\n", d.Owner, job.Epoch, line)
		err = errors.Join(err, file.Close())
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err) // the test misses the line
	}
}

// zombie is an agent process.
type zombie struct {
	t       *testing.T
	command *exec.Cmd
}

func startZombie(t *testing.T, c zombieConfig) *zombie {
	t.Helper()
	told, err := json.Marshal(c)
	if err != nil {
		t.Fatal(err)
	}
	z := &zombie{t: t, command: exec.Command(os.Args[0])} //nolint:noctx // it ends by signals
	z.command.Env = append(os.Environ(), zombieEnv+"="+string(told))
	z.command.Stdout, z.command.Stderr = t.Output(), t.Output()
	if err := z.command.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = z.command.Process.Kill() // also when it is stopped
		_ = z.command.Wait()         // its exit code is the signal's
	})
	return z
}

func (z *zombie) signal(s syscall.Signal) {
	z.t.Helper()
	if err := z.command.Process.Signal(s); err != nil {
		z.t.Fatal(err)
	}
}

// stopAfter stops the process right after it has touched the target so many times: the rest of a second of its
// own time is then left before the next touch.
func (z *zombie) stopAfter(diary string, touches int) {
	z.t.Helper()
	awaitLines(z.t, diary, func(all []string) bool { return len(all) >= touches })
	z.signal(syscall.SIGSTOP)
}
