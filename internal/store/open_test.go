package store_test

import (
	"context"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/icos-jobmanager/jobmanager/internal/jobmanager"
	"github.com/icos-jobmanager/jobmanager/internal/store"
)

func TestOpenRefusesWithASentenceAndWithoutThePassword(t *testing.T) {
	t.Parallel()
	notADatabase := filepath.Join(t.TempDir(), "text.db")
	if err := os.WriteFile(notADatabase, []byte(strings.Repeat("this is no database\n", 100)), 0o600); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		url  string
		code jobmanager.Code
		want string
	}{
		"nothing":          {"", jobmanager.CodeInvalid, "sqlite:///"},
		"another database": {"mysql://u:geheim@h/d", jobmanager.CodeInvalid, "postgres://"},
		"no file":          {"sqlite://", jobmanager.CodeInvalid, "names no file"},
		"a folder":         {"sqlite:///tmp/", jobmanager.CodeInvalid, "names no file"},
		"memory":           {"sqlite://:memory:", jobmanager.CodeInvalid, "memory"},
		"options":          {"sqlite:///tmp/x.db?mode=ro", jobmanager.CodeInvalid, "no options"},
		"a bad port":       {"postgres://u:geheim@h:port/d", jobmanager.CodeInvalid, "postgres://"},
		"a bad option":     {"postgres://u:geheim@localhost/d?sslmode=perhaps", jobmanager.CodeInvalid, "postgres://"},
		"nobody listens":   {"postgres://u:geheim@127.0.0.1:1/jobs?sslmode=disable", jobmanager.CodeUnavailable, "jobs on 127.0.0.1:1"},
		"no database file": {"sqlite://" + notADatabase, jobmanager.CodeUnavailable, notADatabase},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := store.Open(t.Context(), store.Config{URL: c.url})
			if jobmanager.CodeOf(err) != c.code || !strings.Contains(err.Error(), c.want) {
				t.Errorf("the answer is %q %v, want %s with %q", jobmanager.CodeOf(err), err, c.code, c.want)
			}
			if err != nil && strings.Contains(err.Error(), "geheim") {
				t.Errorf("the answer shows the password: %v", err)
			}
		})
	}
}

func TestASecondProcessIsRefusedUntilTheFirstHasEnded(t *testing.T) {
	t.Parallel()
	path := filepath.Join(filepath.Clean(t.TempDir()), "new", "folder", "jobs 100% é.db")
	first := mustOpen(t, store.Config{URL: "sqlite://" + path})
	_, err := store.Open(t.Context(), store.Config{URL: "sqlite://" + path})
	if jobmanager.CodeOf(err) != jobmanager.CodeUnavailable || !strings.Contains(err.Error(), "another process uses") {
		t.Errorf("a second opening answers %v", err)
	}
	if err := first.Close(); err != nil {
		t.Fatal(err)
	}
	mustOpen(t, store.Config{URL: "sqlite://" + path})
	info, err := os.Stat(filepath.Dir(path))
	if err != nil || info.Mode().Perm() != 0o700 {
		t.Errorf("the folder was made with %v, %v, want 0700", info.Mode(), err)
	}
	if _, err := os.Stat(path); err != nil {
		t.Errorf("the database is not where its URL says: %v", err)
	}
	names, err := fs.Glob(os.DirFS(filepath.Dir(path)), "*")
	if err != nil || len(names) < 2 {
		t.Errorf("the folder holds %v, %v, want the database and its lock", names, err)
	}
}

func TestWhatWasCommittedIsThereAfterReopening(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, url string) {
		s := mustMigrate(t, store.Config{URL: url})
		group := mustCreate(t, s, 2)
		before, err := s.Head(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		// A transaction that is cut off leaves nothing.
		ctx, cut := context.WithCancel(t.Context())
		_, err = s.UpdateJobs(ctx, jobmanager.Which{IDs: []jobmanager.ID{group.Jobs[0].ID}, Scope: jobmanager.Scope{All: true}},
			func(j *jobmanager.Job, now time.Time) ([]jobmanager.Event, error) {
				cut()
				return j.Stop(now), nil
			})
		if jobmanager.CodeOf(err) != jobmanager.CodeUnavailable {
			t.Errorf("a transaction that was cut off answers %v", err)
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		again := mustOpen(t, store.Config{URL: url})
		if after, err := again.Head(t.Context()); err != nil || after != before {
			t.Errorf("the head is %s, %v, want %s", after, err, before)
		}
		job, err := again.Job(t.Context(), jobmanager.Scope{All: true}, group.Jobs[0].ID, jobmanager.JobLoad{})
		if err != nil || job.Version != 1 {
			t.Errorf("the job is %+v, %v", job, err)
		}
	})
}

func TestTheClockIsTheDatabasesAndWakes(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, url string) {
		s := mustOpen(t, store.Config{URL: url})
		if err := s.Ready(); err != nil {
			t.Errorf("a new store is not ready: %v", err)
		}
		now := s.Clock().Now()
		if off := time.Since(now); off < -time.Second || off > time.Second { // the same machine
			t.Errorf("the clock is %s off", off)
		}
		if now.Location() != time.UTC || now.Nanosecond()%1000 != 0 {
			t.Errorf("the clock shows %s, want UTC and whole microseconds", now)
		}
		if woken := <-s.Clock().After(t.Context(), time.Millisecond); woken.Sub(now) < time.Millisecond {
			t.Errorf("it woke at %s, before its time", woken)
		}
		ctx, end := context.WithCancel(t.Context())
		never := s.Clock().After(ctx, time.Hour)
		end()
		select {
		case at := <-never:
			t.Errorf("it woke at %s after its context had ended", at)
		case <-s.Clock().After(t.Context(), 10*time.Millisecond):
		}
	})
}

func TestAnIncarnationExpiresCursors(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, url string) {
		s := mustMigrate(t, store.Config{URL: url})
		mustCreate(t, s, 1)
		incarnation := func() string {
			t.Helper()
			head, err := s.Head(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			name, _, err := head.Parse()
			if err != nil || len(name) > 30 {
				t.Fatalf("the cursor %q cannot be read or is long: %v", head, err)
			}
			events, err := s.Events(t.Context(), 0, 1)
			if err != nil || events[0].Incarnation != name {
				t.Errorf("the event is of incarnation %v, %v, the head of %s", events, err, name)
			}
			return name
		}
		told := incarnation()
		s.BreakIdentity()
		first := incarnation()
		if err := s.NewIncarnation(t.Context()); err != nil {
			t.Fatal(err)
		}
		s.BreakIdentity()
		if second := incarnation(); second == first {
			t.Errorf("the incarnation stayed %s", first)
		}
		if s.Kind() == "postgres" && (told == first || !strings.Contains(told, ".")) {
			t.Errorf("PostgreSQL's incarnation is %s, want one made of its own identity", told)
		}
	})
}

func TestEventsThatAreNoLongerKeptExpireTheCursor(t *testing.T) {
	t.Parallel()
	onBoth(t, func(t *testing.T, url string) {
		s := mustMigrate(t, store.Config{URL: url})
		mustCreate(t, s, 5) // six events
		if err := s.ForgetEvents(3); err != nil {
			t.Fatal(err)
		}
		for after, want := range map[jobmanager.Revision]jobmanager.Code{0: jobmanager.CodeCursorExpired, 2: jobmanager.CodeCursorExpired, 3: "", 5: "", 6: ""} {
			if _, err := s.Events(t.Context(), after, 10); jobmanager.CodeOf(err) != want {
				t.Errorf("after %d: %v, want %q", after, err, want)
			}
		}
		page, err := s.EventPage(t.Context(), jobmanager.Scope{All: true}, jobmanager.EventFilter{}, 0, 10)
		if err != nil || len(page.Edges) != 3 {
			t.Errorf("the list from its beginning has %d events, %v, want what is kept", len(page.Edges), err)
		}
		if err := s.ForgetEvents(6); err != nil {
			t.Fatal(err)
		}
		if _, err := s.Events(t.Context(), 5, 10); jobmanager.CodeOf(err) != jobmanager.CodeCursorExpired {
			t.Errorf("with all events gone, a cursor before the newest answers %v", err)
		}
		if events, err := s.Events(t.Context(), 6, 10); err != nil || len(events) != 0 {
			t.Errorf("with all events gone, the newest cursor answers %v, %v", events, err)
		}
	})
}
