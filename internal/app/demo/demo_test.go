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

// demoEnv makes this test binary a demo's process, so that a test can kill it.
const demoEnv = "JOBMANAGER_TEST_DEMO"

// TestMain is the server's process when the demo starts this binary as one, and the demo's when a test does.
func TestMain(m *testing.M) {
	switch {
	case len(os.Args) == 2 && os.Args[1] == "serve":
		instead(func(ctx context.Context) error {
			c, _, err := config.Load([]string{"serve"}, os.Stderr)
			if err != nil {
				return err
			}
			fmt.Fprintf(os.Stderr, "the server has %+v, limits %d and %d, %s to stop\n", c.Life, c.BodyLimit, c.DescriptorLimit, c.ShutdownTimeout)
			return app.Serve(ctx, c, "test")
		})
	case os.Getenv(demoEnv) != "":
		instead(func(ctx context.Context) error {
			c, _, err := config.Load([]string{"demo", "--server-port=0"}, os.Stderr)
			if err != nil {
				return err
			}
			return demo.Run(ctx, c, os.Stdout)
		})
	default:
		goleak.VerifyTestMain(m)
	}
}

// instead does something else than the tests, until SIGTERM.
func instead(do func(context.Context) error) {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	defer stop()
	fmt.Fprintln(os.Stderr, do(ctx)) // the test sees it
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
	first := number(t, out, "kill -9 ")
	if err := syscall.Kill(first, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	out.await(t, "starting it again")
	out.await(t, ": kill -9 it again")
	if second := number(t, out, "the server is back, process "); second == first || syscall.Kill(second, 0) != nil {
		t.Errorf("it says that process %d is back, after %d", second, first)
	}
	interrupt()
	if err := <-ended; err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	out.await(t, "ended cleanly")
}

// number reads the number behind the words on the screen.
func number(t *testing.T, out *screen, words string) int {
	t.Helper()
	_, after, _ := strings.Cut(out.String(), words)
	digits, _, _ := strings.Cut(strings.Fields(after)[0], ":")
	n, err := strconv.Atoi(digits)
	if err != nil {
		t.Fatal(err)
	}
	return n
}

func TestSettingsOfTheDemoReachItsServer(t *testing.T) {
	t.Parallel()
	out := &screen{more: make(chan struct{}, 1)}
	c := settings(t, "--demo-once", "--lease=21s", "--max-attempts=7", "--backoff=3s", "--body-limit=3000000", "--descriptor-limit=200000",
		"--shutdown-timeout=11s", "--component-types=ocm=kubernetes,manifest;nuvla=docker,manifest,kubernetes,multiple,container")
	if err := demo.Run(t.Context(), c, out); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	for _, words := range []string{fmt.Sprintf("the server has %+v,", c.Life), "limits 3000000 and 200000", "11s to stop", "MaxAttempts:7", "nuvla:[docker manifest"} {
		if !strings.Contains(out.String(), words) {
			t.Errorf("%q does not show in\n%s", words, out)
		}
	}
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
