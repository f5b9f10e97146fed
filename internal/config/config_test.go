package config_test

import (
	"strings"
	"testing"
	"time"

	"github.com/icos-jobmanager/jobmanager/internal/config"
)

func load(t *testing.T, args ...string) (config.Config, error) {
	t.Helper()
	c, done, err := config.Load(args, t.Output())
	if done {
		t.Fatal("it took the arguments for a call for help")
	}
	return c, err
}

func TestDefaultsServeOnLoopbackWithSQLite(t *testing.T) {
	t.Parallel()
	c, err := load(t)
	if err != nil {
		t.Fatal(err)
	}
	if c.Command != config.Serve || c.Port != 8082 || c.Host != "127.0.0.1" || c.StoreURL() != "sqlite://data/jobmanager.db" || c.Lease != 300*time.Second {
		t.Errorf("%+v", c)
	}
}

func TestEnvironmentConfigures(t *testing.T) {
	t.Setenv("SERVER_PORT", "9000")
	t.Setenv("DATABASE_URL", "postgres://jm@db/jm")
	t.Setenv("COMPONENT_TYPES", "ocm=kubernetes,manifest;nuvla=docker")
	t.Setenv("DB_DRIVER", "mysql")
	c, err := load(t, "migrate")
	if err != nil {
		t.Fatal(err)
	}
	if c.Command != config.Migrate || c.Port != 9000 || c.StoreURL() != "postgres://jm@db/jm" || len(c.ComponentTypes["ocm"]) != 2 || c.OldDatabase() {
		t.Errorf("%+v", c)
	}
	t.Setenv("DATABASE_URL", "")
	if c, err := load(t); err != nil || !c.OldDatabase() {
		t.Errorf("the old database is not noticed: %v", err)
	}
}

func TestWrongValuesAreRefusedAllAtOnceWithSentences(t *testing.T) {
	t.Parallel()
	_, err := load(t, "--server-port=70000", "--database-url=mysql://x", "--matchmaking-url=nowhere", "--max-attempts=0", "--lease=1s",
		"--body-limit=1", "--shutdown-timeout=0s", "--database-max-conns=1", "--demo-failure-rate=2", "--oidc-issuer-url=https://id.example")
	if err == nil {
		t.Fatal("accepted")
	}
	for _, word := range []string{"SERVER_PORT", "DATABASE_URL", "MATCHMAKING_URL", "MAX_ATTEMPTS", "LEASE", "BODY_LIMIT", "SHUTDOWN_TIMEOUT", "DATABASE_MAX_CONNS", "DEMO_FAILURE_RATE", "OIDC_ISSUER_URL"} {
		if !strings.Contains(err.Error(), word) {
			t.Errorf("%s is not told in:\n%v", word, err)
		}
	}
	if _, err := load(t, "--server-port=many"); err == nil || !strings.Contains(err.Error(), "server-port") {
		t.Errorf("a port that is no number: %v", err)
	}
	if _, err := load(t, "dance"); err == nil || !strings.Contains(err.Error(), "--help") {
		t.Errorf("an unknown command: %v", err)
	}
}

func TestWhatDoesNotGoTogetherIsRefused(t *testing.T) {
	t.Parallel()
	for word, args := range map[string][]string{
		"do not go together": {"migrate", "--down", "--new-incarnation"},
		"DEMO_FAILURE_RATE":  {"demo", "--demo-failure-rate=NaN"},
	} {
		if _, err := load(t, args...); err == nil || !strings.Contains(err.Error(), word) {
			t.Errorf("%v: %v", args, err)
		}
	}
	if c, err := load(t, "migrate", "--new-incarnation"); err != nil || !c.NewIncarnation || c.Down {
		t.Errorf("one of the two alone: %+v, %v", c.Migration, err)
	}
}

func TestHelpExplainsEveryFlag(t *testing.T) {
	t.Parallel()
	var out strings.Builder
	_, done, err := config.Load([]string{"serve", "--help"}, &out)
	if err != nil || !done {
		t.Fatalf("%v, done %v", err, done)
	}
	for _, word := range []string{"SERVER_PORT", "LISTEN_HOST", "DATABASE_URL", "MATCHMAKING_URL", "TARGETS_FILE", "--insecure-no-auth", "LOG_FORMAT"} {
		if !strings.Contains(out.String(), word) {
			t.Errorf("the help does not explain %s", word)
		}
	}
}
