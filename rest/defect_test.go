package rest_test

import (
	"bytes"
	"context"
	"log/slog"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/icos-jobmanager/jobmanager/internal/app"
	"github.com/icos-jobmanager/jobmanager/internal/app/apptest"
	"github.com/icos-jobmanager/jobmanager/rest/resttest"
)

// Defects of the old service that only this door can show; docs/rest-compatibility.md lists all of them.

// TestOneOfManyPromotionsAtOnceWins is defect 12: the old service answered 204 to several, often to all.
func TestOneOfManyPromotionsAtOnceWins(t *testing.T) {
	t.Parallel()
	const hubs = 8
	eachLive(t, func(t *testing.T, d liveDoor) {
		for range 3 {
			g := decoded[liveGroup](t, d.want(http.StatusCreated, "", http.MethodPost, "/groups", manyComponents(1)))
			var (
				all     sync.WaitGroup
				answers [hubs]int
			)
			for hub := range hubs {
				all.Go(func() {
					answers[hub] = promoted(t, d, g.Jobs[0].ID, "hub-"+strconv.Itoa(hub))
				})
			}
			all.Wait()
			winner, won := "", 0
			for hub, status := range answers {
				switch status {
				case http.StatusNoContent:
					winner, won = "hub-"+strconv.Itoa(hub), won+1
				case http.StatusBadRequest:
				default:
					t.Errorf("hub-%d is answered %d", hub, status)
				}
			}
			if shown := d.want(http.StatusOK, "", http.MethodGet, "/jobs/"+g.Jobs[0].ID, ""); won != 1 || !strings.Contains(shown, `"owner_id":"`+winner+`"`) {
				t.Errorf("%d won, the last %s, and the job is %s", won, winner, shown)
			}
		}
	})
}

// promoted promotes a job, and gives the answer's status; it may be called by many at once.
func promoted(t *testing.T, d liveDoor, job, owner string) int {
	t.Helper()
	request, err := http.NewRequestWithContext(context.WithoutCancel(t.Context()), http.MethodPatch, d.url+"/jobs/promote/"+job, strings.NewReader(`{"owner_id":"`+owner+`"}`))
	if err != nil {
		t.Error(err)
		return 0
	}
	response, err := d.http.Do(request)
	if err != nil {
		t.Error(err)
		return 0
	}
	_ = response.Body.Close() // only the status is read
	return response.StatusCode
}

// TestAJobWhoseWorkloadStandsIsNotDeleted is defect 29: the old service deleted it, and nobody removed the workload.
func TestAJobWhoseWorkloadStandsIsNotDeleted(t *testing.T) {
	t.Parallel()
	eachLive(t, func(t *testing.T, d liveDoor) {
		g := decoded[liveGroup](t, d.want(http.StatusCreated, "", http.MethodPost, "/groups", manyComponents(1)))
		id := g.Jobs[0].ID
		work := func(number int) {
			t.Helper()
			d.want(http.StatusNoContent, "", http.MethodPatch, "/jobs/promote/"+id, `{"owner_id":"hub"}`)
			d.want(http.StatusBadRequest, "", http.MethodDelete, "/jobs/"+id, "")
			d.want(http.StatusOK, "", http.MethodPut, "/jobs", `{"id":"`+id+`","owner_id":"hub","type":`+strconv.Itoa(number)+
				`,"resource":{"resource_uuid":"6f8d1a0e-52c6-4a39-9d2f-70c1f3b0a1d5","resource_name":"c0-x7k2p"}}`)
		}
		work(5)
		for range 2 {
			if text := d.want(http.StatusBadRequest, "", http.MethodDelete, "/jobs/"+id, ""); !strings.Contains(text, "stop its group first") {
				t.Errorf("refused with %s", text)
			}
			d.want(http.StatusOK, "", http.MethodPut, "/groups/undeploy/"+g.ID, "")
		}
		work(6)
		d.want(http.StatusOK, "1", http.MethodDelete, "/jobs/"+id, "")
		d.want(http.StatusNotFound, `{"error":"job not found"}`, http.MethodGet, "/jobs/"+id, "")
	})
}

// journal is a log that many may write to.
type journal struct {
	mu   sync.Mutex // guards text
	text bytes.Buffer
}

func (j *journal) Write(line []byte) (int, error) {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.text.Write(line)
}

func (j *journal) String() string {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.text.String()
}

// TestNoStatementIsLogged is a part of defect 48: the old service wrote every SQL statement, with its values, to its
// log.
func TestNoStatementIsLogged(t *testing.T) {
	t.Parallel()
	apptest.EachDatabase(t, func(t *testing.T, url string) {
		log := &journal{}
		server, err := app.New(t.Context(), apptest.Config(t, url), app.Options{
			Version: "test", Logger: slog.New(slog.NewTextHandler(log, &slog.HandlerOptions{Level: slog.LevelDebug})),
		})
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(context.WithoutCancel(t.Context()))
		ended := make(chan error, 1)
		go func() { ended <- server.Run(ctx) }()
		d := liveDoor{t, server.URL() + "/jobmanager", &http.Client{Transport: resttest.Checked(t, nil)}}
		d.want(http.StatusCreated, "", http.MethodPost, "/groups", manyComponents(2))
		for _, path := range []string{"/groups", "/jobs", "/jobs/executable/ocm/hub"} {
			d.want(http.StatusOK, "", http.MethodGet, path, "")
		}
		cancel()
		if err := <-ended; err != nil {
			t.Error(err)
		}
		written := log.String()
		if !strings.Contains(written, "/jobmanager/groups") {
			t.Errorf("the requests are not in the log at all:\n%s", written)
		}
		for _, word := range []string{"SELECT ", "INSERT ", "UPDATE ", "kind: ConfigMap"} {
			if strings.Contains(written, word) {
				t.Errorf("%s is in the log:\n%s", word, written)
			}
		}
	})
}
