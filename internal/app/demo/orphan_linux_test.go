package demo_test

import (
	"fmt"
	"os"
	"os/exec"
	"strings"
	"testing"
	"time"
)

// TestKilledDemoLeavesNoServerBehind kills a demo with SIGKILL: it can stop nothing any more, the system does.
func TestKilledDemoLeavesNoServerBehind(t *testing.T) {
	t.Parallel()
	out := &screen{more: make(chan struct{}, 1)}
	command := exec.CommandContext(t.Context(), os.Args[0])
	command.Env = append(os.Environ(), demoEnv+"=1", "TMPDIR="+t.TempDir())
	command.Stdout, command.Stderr = out, out
	command.WaitDelay = 30 * time.Second // the pipes are the server's too
	if err := command.Start(); err != nil {
		t.Fatal(err)
	}
	out.await(t, "the server is ready, process ")
	server := number(t, out, "the server is ready, process ")
	if !runs(server) {
		t.Fatalf("process %d does not run\n%s", server, out)
	}
	if err := command.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = command.Wait() // it was killed
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for limit := time.After(30 * time.Second); runs(server); {
		select {
		case <-tick.C:
		case <-limit:
			t.Fatalf("the server, process %d, lives on\n%s", server, out)
		}
	}
}

// runs says whether a process is there and has not ended; one that has ended may wait for somebody to notice.
func runs(pid int) bool {
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return false
	}
	_, state, _ := strings.Cut(string(status), ") ") // behind the name, which stands in parentheses
	return !strings.HasPrefix(state, "Z")
}
