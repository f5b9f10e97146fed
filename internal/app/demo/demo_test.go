package demo_test

import (
	"context"
	"fmt"
	"net"
	"os"
	"os/signal"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/icos-jobmanager/jobmanager/internal/app"
	"github.com/icos-jobmanager/jobmanager/internal/app/demo"
	"github.com/icos-jobmanager/jobmanager/internal/config"
)

// TestMain is the server's process when the demo starts this binary as one.
func TestMain(m *testing.M) {
	if len(os.Args) == 2 && os.Args[1] == "serve" {
		ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
		defer stop()
		c, _, err := config.Load([]string{"serve"}, os.Stderr)
		if err == nil {
			err = app.Serve(ctx, c, "test")
		}
		fmt.Fprintln(os.Stderr, err)
		return
	}
	goleak.VerifyTestMain(m)
}

// screen is a terminal that a test reads.
type screen struct {
	mu   sync.Mutex // guards text
	text strings.Builder
	more chan struct{}
}

func (s *screen) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	select {
	case s.more <- struct{}{}:
	default:
	}
	return s.text.Write(p)
}

func (s *screen) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.text.String()
}

// await waits until the screen shows the words.
func (s *screen) await(t *testing.T, words string) {
	t.Helper()
	for limit := time.After(60 * time.Second); !strings.Contains(s.String(), words); {
		select {
		case <-s.more:
		case <-limit:
			t.Fatalf("%q never showed in\n%s", words, s)
		}
	}
}

func settings(t *testing.T, args ...string) config.Config {
	t.Helper()
	c, _, err := config.Load(append([]string{"demo", "--server-port=0", "--demo-latency=10ms"}, args...), t.Output())
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestDemoBringsTheApplicationUpAndEnds(t *testing.T) {
	t.Parallel()
	out := &screen{more: make(chan struct{}, 1)}
	if err := demo.Run(t.Context(), settings(t, "--demo-once"), out); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	for _, words := range []string{"5 jobs", "city-traffic is DEPLOYING", "city-traffic is RUNNING", "ocm-demo-agent", "nuvla-demo-agent", "+Available", "ended cleanly"} {
		if !strings.Contains(out.String(), words) {
			t.Errorf("%q does not show in\n%s", words, out)
		}
	}
}

func TestDemoSurvivesTheDeathOfItsServer(t *testing.T) {
	t.Parallel()
	out := &screen{more: make(chan struct{}, 1)}
	ctx, interrupt := context.WithCancel(t.Context())
	defer interrupt()
	ended := make(chan error, 1)
	go func() { ended <- demo.Run(ctx, settings(t), out) }()
	out.await(t, "Control-C ends the demo")
	_, after, _ := strings.Cut(out.String(), "kill -9 ")
	pid, err := strconv.Atoi(strings.Fields(after)[0])
	if err != nil {
		t.Fatal(err)
	}
	if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	out.await(t, "starting it again")
	interrupt()
	if err := <-ended; err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	out.await(t, "ended cleanly")
}

func TestTakenPortIsToldWithWhatToDo(t *testing.T) {
	t.Parallel()
	listener, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = listener.Close() }() // only its port counts
	port := listener.Addr().(*net.TCPAddr).Port
	err = demo.Run(t.Context(), settings(t, "--server-port="+strconv.Itoa(port)), &screen{more: make(chan struct{}, 1)})
	if err == nil || !strings.Contains(err.Error(), "make demo") || !strings.Contains(err.Error(), strconv.Itoa(port+1)) {
		t.Errorf("a taken port: %v", err)
	}
}
