package config_test

import (
	"os"
	"path/filepath"
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
	if c.RefusedPromote != "400" || c.KeycloakPublicKey != "" {
		t.Errorf("%+v", c.Server)
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
		"contradict":         {"--keycloak-public-key=abc", "--insecure-no-auth"},
		"of its own":         {"demo", "--keycloak-public-key=abc"},
		"400":                {"--rest-refused-promote=drop"},
	} {
		if _, err := load(t, args...); err == nil || !strings.Contains(err.Error(), word) {
			t.Errorf("%v: %v", args, err)
		}
	}
	if c, err := load(t, "migrate", "--new-incarnation"); err != nil || !c.NewIncarnation || c.Down {
		t.Errorf("one of the two alone: %+v, %v", c.Migration, err)
	}
}

func TestSecretsComeFromFiles(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	file := func(name, text string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	key, url, empty := file("key", "abc=\n"), file("url", "postgres://jm:secret@db/jm\n"), file("empty", "\n")
	c, err := load(t, "--keycloak-public-key-file="+key, "--database-url-file="+url)
	if err != nil || c.KeycloakPublicKey != "abc=" || c.StoreURL() != "postgres://jm:secret@db/jm" {
		t.Errorf("%q, %q, %v", c.KeycloakPublicKey, c.StoreURL(), err)
	}
	for words, args := range map[string][]string{
		"KEYCLOAK_PUBLIC_KEY and KEYCLOAK_PUBLIC_KEY_FILE do not go together": {"--keycloak-public-key=abc", "--keycloak-public-key-file=" + key},
		"DATABASE_URL and DATABASE_URL_FILE do not go together":               {"--database-url=sqlite:///x.db", "--database-url-file=" + url},
		"KEYCLOAK_PUBLIC_KEY_FILE must name a file":                           {"--keycloak-public-key-file=" + filepath.Join(dir, "none")},
		"DATABASE_URL_FILE names is empty":                                    {"--database-url-file=" + empty},
		"DATABASE_URL must begin with":                                        {"--database-url-file=" + key},
		"contradict":                                                          {"--keycloak-public-key-file=" + key, "--insecure-no-auth"},
	} {
		_, err := load(t, args...)
		if err == nil || !strings.Contains(err.Error(), words) || strings.Contains(err.Error(), "secret") {
			t.Errorf("%v: %v, want %q", args, err, words)
		}
	}
}

func TestHelpExplainsEveryFlag(t *testing.T) {
	t.Parallel()
	var out strings.Builder
	_, done, err := config.Load([]string{"serve", "--help"}, &out)
	if err != nil || !done {
		t.Fatalf("%v, done %v", err, done)
	}
	for _, word := range []string{"SERVER_PORT", "LISTEN_HOST", "DATABASE_URL", "MATCHMAKING_URL", "TARGETS_FILE", "--insecure-no-auth", "LOG_FORMAT", "KEYCLOAK_PUBLIC_KEY_FILE", "REST_REFUSED_PROMOTE", "DATABASE_URL_FILE"} {
		if !strings.Contains(out.String(), word) {
			t.Errorf("the help does not explain %s", word)
		}
	}
}
