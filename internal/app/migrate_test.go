package app_test

import (
	"strings"
	"testing"

	"github.com/icos-jobmanager/jobmanager/internal/app"
	"github.com/icos-jobmanager/jobmanager/internal/app/apptest"
	"github.com/icos-jobmanager/jobmanager/internal/config"
	"github.com/icos-jobmanager/jobmanager/internal/testkit"
)

func TestNewIdentityIsSaidOnlyWhereThereIsOne(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct{ url, words string }{
		"SQLite":     {apptest.SQLite(t), "the database has a new identity"},
		"PostgreSQL": {testkit.PostgresURL(t), "nothing changed: this PostgreSQL tells its own identity"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			said := migrate(t, "--new-incarnation", "--database-url="+test.url)
			if !strings.Contains(said, "applied [") || !strings.Contains(said, test.words) {
				t.Errorf("it said %q", said)
			}
			if said := migrate(t, "--database-url="+test.url); said != "nothing to do []\n" {
				t.Errorf("the second time it said %q", said)
			}
			if said := migrate(t, "--down", "--database-url="+test.url); !strings.HasPrefix(said, "took back [") {
				t.Errorf("taking it back it said %q", said)
			}
		})
	}
}

// migrate runs the command and gives what it said.
func migrate(t *testing.T, args ...string) string {
	t.Helper()
	var out strings.Builder
	c, _, err := config.Load(append([]string{"migrate"}, args...), t.Output())
	if err == nil {
		err = app.Migrate(t.Context(), c, &out)
	}
	if err != nil {
		t.Fatal(err)
	}
	return out.String()
}
