package rest_test

import (
	"errors"
	"net/http"
	"slices"
	"sync"
	"testing"

	"github.com/icos-jobmanager/jobmanager/rest/oldclient"
)

// TestAReportThatComesAgainChangesNothing sends the report of a create again: at once, after the removal, and after the
// next start.
func TestAReportThatComesAgainChangesNothing(t *testing.T) {
	ocmEach(t, func(w *ocmWorld) {
		group, h := w.create(ocmDescribe("app", "web")), w.hub()
		id := group.Jobs.Nodes[0].ID
		report := w.tick(h).Of(http.MethodPut, oldclient.OCMReportPath)[0]
		again := func(when string, want int) {
			w.t.Helper()
			before, head := w.job(id), w.head()
			status, answer := w.rest(http.MethodPut, report.URI, "", string(report.Body))
			if status != want {
				w.t.Errorf("%s: answered %d %s, want %d", when, status, answer, want)
			}
			if after := w.job(id); after.work() != before.work() || after.Epoch != before.Epoch || after.uid() != before.uid() || after.Workload != before.Workload || len(w.strays(id)) > 0 {
				w.t.Errorf("%s: the job was %+v and is %+v, strays %+v", when, before, after, w.strays(id))
			}
			if now := w.head(); now != head {
				w.t.Errorf("%s: the log moved from %s to %s", when, head, now)
			}
		}
		again("at once", http.StatusOK)
		w.stop(group.ID)
		again("while it is to be removed", http.StatusOK) // the same epoch, the same answer
		w.ticks(w.phase(group.ID, "STOPPED"), h)
		again("after the removal", http.StatusBadRequest)
		w.verb("startJobGroup", map[string]any{"jobGroupId": group.ID})
		again("after the start", http.StatusBadRequest)
		w.ticks(w.phase(group.ID, "RUNNING"), h)
		again("when it runs anew", http.StatusBadRequest)
		w.checkOnce(group.ID, h)
	})
}

// TestAWorkOfAFormerLifeIsNeverAdopted has a removed work that its cluster still shows, and a create that fails.
func TestAWorkOfAFormerLifeIsNeverAdopted(t *testing.T) {
	ocmEach(t, func(w *ocmWorld) {
		group, h := w.create(ocmDescribe("app", "web")), w.hub()
		id := group.Jobs.Nodes[0].ID
		w.tick(h)
		former := h.Fleet.Works()[0]
		w.stop(group.ID)
		w.ticks(w.phase(group.ID, "STOPPED"), h)
		h.Fleet.Restore(former)
		w.verb("startJobGroup", map[string]any{"jobGroupId": group.ID})
		h.Script = ocmOnce(ocmAny, func() oldclient.Plan { return oldclient.Plan{Outcome: oldclient.Fails} })
		w.tick(h)
		w.more(3, h)
		if j := w.job(id); j.work() != "CREATE_DEPLOYMENT/PROGRESSING" || j.Resource != nil || len(w.strays(id)) > 0 {
			w.t.Errorf("the job is %+v with %+v, strays %+v", j, j.Resource, w.strays(id))
		}
		w.ticks(w.phase(group.ID, "RUNNING"), h)
		if j := w.job(id); j.uid() == former.UID || len(h.Fleet.Works()) != 2 {
			w.t.Errorf("in the end %+v runs, and there stand %+v", j.Resource, h.Fleet.Works())
		}
	})
}

// lossy loses the answer to the first call with a method: the server got it.
type lossy struct {
	next   http.RoundTripper
	method string
	once   sync.Once
}

// RoundTrip sends the request.
func (l *lossy) RoundTrip(r *http.Request) (*http.Response, error) {
	response, err := l.next.RoundTrip(r)
	if err != nil || r.Method != l.method {
		return response, err
	}
	l.once.Do(func() {
		_ = response.Body.Close() // nobody reads it
		err = errors.New("the answer is lost")
	})
	if err != nil {
		return nil, err
	}
	return response, nil
}

// TestAPromotionWhoseAnswerIsLostIsTriedAgainAfterItsLease makes the hub skip a job that is its own by then.
func TestAPromotionWhoseAnswerIsLostIsTriedAgainAfterItsLease(t *testing.T) {
	ocmEach(t, func(w *ocmWorld) {
		group, h := w.create(ocmDescribe("app", "web", "db")), w.hub()
		h.HTTP = &http.Client{Transport: &lossy{next: http.DefaultTransport, method: http.MethodPatch}}
		w.tick(h)
		if made := h.Fleet.Works(); len(made) != 1 {
			w.t.Errorf("the hub made %+v", made)
		}
		w.ticks(w.phase(group.ID, "RUNNING"), h)
		w.checkOnce(group.ID, h)
	})
}

// TestManyOCMHubsThatPollAtOnceDeployEachComponentOnce is a crowd over three groups.
func TestManyOCMHubsThatPollAtOnceDeployEachComponentOnce(t *testing.T) {
	ocmEach(t, func(w *ocmWorld) {
		groups := []ocmGroup{w.create(ocmDescribe("one", ocmTen()...)), w.create(ocmDescribe("two", ocmTen()...)), w.create(ocmDescribe("three", ocmTen()...))}
		hubs := []*oldclient.Hub{w.hub(), w.hub(), w.hub(), w.hub()}
		running := func() bool {
			return !slices.ContainsFunc(groups, func(g ocmGroup) bool { return w.group(g.ID).Phase != "RUNNING" })
		}
		w.until(running, ocmPause, func() {
			var all sync.WaitGroup
			for _, h := range hubs {
				all.Go(func() {
					if _, err := h.Tick(w.t.Context()); err != nil {
						w.t.Errorf("a tick breaks: %v", err)
					}
				})
			}
			all.Wait()
		})
		made := 0
		for _, h := range hubs {
			made += len(h.Fleet.Works())
		}
		if made != 30 {
			w.t.Errorf("%d works stand for 30 components", made)
		}
		for _, g := range groups {
			for _, j := range w.group(g.ID).Jobs.Nodes {
				if j.Attempt != 1 || len(w.strays(j.ID)) > 0 {
					w.t.Errorf("%s took %+v, strays %+v", j.Component, j.Attempts, w.strays(j.ID))
				}
			}
		}
	})
}
