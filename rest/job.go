package rest

import (
	"context"
	"net/http"

	"github.com/icos-jobmanager/jobmanager/internal/jobmanager"
	"github.com/icos-jobmanager/jobmanager/internal/service"
)

// jobLoad is what the JSON of a job shows.
func jobLoad() jobmanager.JobLoad {
	return jobmanager.JobLoad{Manifests: true, Group: &jobmanager.GroupLoad{}}
}

// jobsAtATime is how many jobs of a whole list are read at once.
const jobsAtATime = 50

// jobs reads jobs, the oldest first: what comes while a list is read stands at its end.
func (d *Door) jobs() pager {
	return pager{jobsAtATime, func(ctx context.Context, p jobmanager.Principal, request jobmanager.PageRequest) (page, error) {
		jobs, err := d.service.Jobs(ctx, p, jobmanager.JobQuery{
			Order: jobmanager.JobOrder{Direction: jobmanager.Ascending}, Page: request, Load: jobLoad(),
		})
		if err != nil {
			return page{}, err
		}
		return shownPage(jobs, showJob), nil
	}}
}

func (d *Door) job(ctx context.Context, p jobmanager.Principal, id jobmanager.ID) (*jobmanager.Job, error) {
	job, err := d.service.Job(ctx, p, id, jobLoad())
	if err == nil && job == nil {
		return nil, jobmanager.Errorf(jobmanager.CodeNotFound, textNoJob)
	}
	return job, err
}

func (d *Door) deleteJob(ctx context.Context, p jobmanager.Principal, id jobmanager.ID) (*service.DeleteJobPayload, error) {
	return d.service.DeleteJob(ctx, p, service.DeleteJobInput{JobID: id})
}

func (d *Door) handOut(ctx context.Context, p jobmanager.Principal, agent jobmanager.Agent) ([]*jobmanager.Job, error) {
	return d.service.HandOut(ctx, p, agent, jobLoad())
}

func (d *Door) handOutGroup(ctx context.Context, p jobmanager.Principal, orchestrator string) ([]*jobmanager.Job, error) {
	return d.service.HandOutGroup(ctx, p, orchestrator, jobLoad())
}

func (d *Door) report(ctx context.Context, p jobmanager.Principal, input service.ReportJobInput) (*jobmanager.Job, error) {
	return d.service.ReportJob(ctx, p, input, jobLoad())
}

// lock does what a v0 agent says of its job.
func (d *Door) lock(ctx context.Context, p jobmanager.Principal, word lockWord) (*jobmanager.Job, error) {
	switch word.says {
	case saysLock:
		return d.service.LockJob(ctx, p, word.jobID, jobLoad())
	case saysDone:
		return d.service.FinishLockedJob(ctx, p, word.jobID, jobLoad())
	case saysUnlock:
	}
	return d.service.UnlockJob(ctx, p, word.jobID, jobLoad())
}

// promote serves a claim: 204 without a body.
func (d *Door) promote(do action) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if _, err := do(r); err != nil {
			d.fail(w, r, ofPromote, err)
			return
		}
		w.WriteHeader(http.StatusNoContent)
	})
}

// closing drops the connection instead of every refusal of a route, its guard's too: an agent that executes whatever
// it is answered is kept from it only by a connection that breaks.
func closing(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		next.ServeHTTP(&closer{ResponseWriter: w}, r)
	})
}

// closer is a ResponseWriter that gives no refusal out.
type closer struct {
	http.ResponseWriter
	closed bool
}

// WriteHeader sends a success, and closes the connection for anything else.
func (c *closer) WriteHeader(status int) {
	if status >= http.StatusBadRequest && cut(c.ResponseWriter) {
		c.closed = true
		return
	}
	c.ResponseWriter.WriteHeader(status)
}

// Write passes on what has a reader.
func (c *closer) Write(body []byte) (int, error) {
	if c.closed {
		return len(body), nil
	}
	return c.ResponseWriter.Write(body)
}
