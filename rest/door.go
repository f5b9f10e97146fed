// Package rest is the REST door: the API of the old ICOS Job Manager, for the clients that were written for it.
// It only translates: a handler reads a request, calls the service method of the same GraphQL operation (or the one
// that only old agents need, internal/service/legacy*.go), and writes the answer. What it decides is wire alone, and
// docs/rest-compatibility.md lists it with the reasons.
//
// Start with door.go, which has every route; handler.go has the one way from a request to an answer and the one table
// of statuses, wire*.go the JSON.
package rest

import (
	"log/slog"
	"net/http"

	"github.com/gorilla/mux"
	"github.com/rs/cors"

	"github.com/icos-jobmanager/jobmanager/internal/jobmanager"
	"github.com/icos-jobmanager/jobmanager/internal/service"
)

// RefusedPromoteClose is the value of Config.RefusedPromote that drops the connection.
const RefusedPromoteClose = "close"

// Config is what the REST door is made of.
type Config struct {
	Service *service.Service
	Logger  *slog.Logger
	// BodyLimit bounds a request's body, in bytes; more is answered 413.
	BodyLimit int64
	// RefusedPromote is what an agent gets whose promote fails: empty for an answer, RefusedPromoteClose for a
	// dropped connection, which keeps an agent that ignores the answer from executing the job.
	RefusedPromote string
	// Guard tells callers apart: it is put around every route but the welcome, the health check and Docs, and leaves
	// the Principal in the context. Nil lets requests through as they are.
	Guard func(http.Handler) http.Handler
	// Docs is the Swagger UI, at /jobmanager/swagger and below; nil for none.
	Docs http.Handler
}

// Door serves everything under /jobmanager. Mount it at /jobmanager and at /jobmanager/: it answers what is unknown
// and wrong methods itself.
type Door struct {
	http.Handler
	config  Config
	service *service.Service
}

// New makes the door.
func New(config Config) *Door {
	d := &Door{config: config, service: config.Service}
	router := mux.NewRouter()
	d.mountOpen(router)
	for _, r := range d.routes() {
		handler := d.guarded(r.handler)
		if r.method == http.MethodPatch && d.config.RefusedPromote == RefusedPromoteClose {
			handler = closing(handler)
		}
		router.Handle("/jobmanager"+r.path, handler).Methods(r.method)
	}
	d.Handler = cors.New(cors.Options{ // every origin, as ever
		AllowedOrigins: []string{"*"}, AllowedHeaders: []string{"*"}, ExposedHeaders: []string{nextLink, nextAfter},
		AllowedMethods: []string{http.MethodHead, http.MethodGet, http.MethodPost, http.MethodPut, http.MethodPatch, http.MethodDelete},
	}).Handler(router)
	return d
}

// mountOpen mounts what everyone may read.
func (d *Door) mountOpen(router *mux.Router) {
	router.HandleFunc("/jobmanager", welcome).Methods(http.MethodGet)
	router.HandleFunc("/jobmanager/healthz", healthz).Methods(http.MethodGet)
	if d.config.Docs != nil {
		router.Handle("/jobmanager/swagger", d.config.Docs)
		router.PathPrefix("/jobmanager/swagger/").Handler(d.config.Docs)
	}
}

// route is one operation of the API.
type route struct {
	method, path string
	handler      http.Handler
}

// routes are those behind the guard. The first whose path fits wins: what has fewer variables stands first.
func (d *Door) routes() []route {
	return append(append(d.jobRoutes(), d.groupRoutes()...), d.otherRoutes()...)
}

func (d *Door) jobRoutes() []route {
	report := d.answer(http.StatusOK, exchange(readReport, d.report, echoJob), ofJobBody)
	lock := d.answer(http.StatusOK, exchange(readLock, d.lock, showJobV0), ofJobBody)
	return []route{
		{http.MethodGet, "/jobs", d.list(d.jobs())},
		{http.MethodPut, "/jobs", report},
		{http.MethodGet, "/jobs/executable/orchestrator/{orchestrator}", d.answer(http.StatusOK, exchange(readOrchestrator, d.handOutGroup, showJobsV0), nil)},
		{http.MethodGet, "/jobs/executable/{orchestrator}/{owner_id}", d.answer(http.StatusOK, exchange(readAgent, d.handOut, showHandOut), nil)},
		{http.MethodPatch, "/jobs/promote/{id}", d.promote(exchange(readPromote, d.service.ClaimListedJob, showNothing[*jobmanager.Job]))},
		{http.MethodGet, "/jobs/{id}", d.answer(http.StatusOK, exchange(readID, d.job, showJob), ofJob)},
		{http.MethodPut, "/jobs/{id}", d.either(isLock, lock, report)},
		{http.MethodDelete, "/jobs/{id}", d.answer(http.StatusOK, exchange(readID, d.deleteJob, showOne), ofJob)},
	}
}

func (d *Door) groupRoutes() []route {
	create := d.answer(http.StatusCreated, exchange(readDescriptor, d.createGroup, echoGroup), ofDescriptor)
	all := d.list(d.groups())
	get := d.answer(http.StatusOK, exchange(readID, d.group, showGroup), ofGroup)
	remove := d.answer(http.StatusOK, exchange(readID, d.deleteGroup, showGroup), ofDelete)
	patch := d.answer(http.StatusOK, exchange(readPatch, d.patchGroup, echoGroup), ofStart)
	update := d.answer(http.StatusOK, exchange(readUpdate, d.updateGroup, echoGroup), ofUpdate)
	stop := d.answer(http.StatusOK, exchange(readID, d.stopGroup, showGroup), ofGroup)
	start := d.answer(http.StatusOK, exchange(readID, d.startGroup, showGroup), ofStart)
	return []route{
		{http.MethodPost, "/groups", create},
		{http.MethodGet, "/groups", all},
		{http.MethodPut, "/groups", patch},
		{http.MethodPut, "/groups/undeploy/{id}", stop},
		{http.MethodPut, "/groups/stop/{id}", stop},
		{http.MethodPut, "/groups/start/{id}", start},
		{http.MethodGet, "/groups/{id}", get},
		{http.MethodPut, "/groups/{id}", d.either(isGroup, patch, update)},
		{http.MethodDelete, "/groups/{id}", remove},
		// The same under the names of the first dialect.
		{http.MethodPost, "/jobs/create/{app_name}", create},
		{http.MethodGet, "/jobgroups", all},
		{http.MethodGet, "/jobs/group/{id}", get},
		{http.MethodDelete, "/jobs/group/{id}", remove},
	}
}

func (d *Door) otherRoutes() []route {
	sync := d.answer(http.StatusOK, exchange(readStatus, d.service.SyncResource, showResource), ofStatus)
	violation := d.answer(http.StatusOK, exchange(readIncompliance, d.reportIncompliance, showIncompliance), ofIncompliance)
	return []route{
		{http.MethodGet, "/resources/status/{id}", d.answer(http.StatusOK, exchange(readID, d.job, showStatus), ofStatusRead)},
		{http.MethodPut, "/resources/status", sync},
		{http.MethodPut, "/resources/status/{id}", sync},
		{http.MethodPost, "/policies/incompliance", violation},
		{http.MethodPost, "/policies/incompliance/create", violation},
	}
}

// guarded puts the guard and the bound of bodies around a route.
func (d *Door) guarded(next http.Handler) http.Handler {
	bounded := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		r.Body = http.MaxBytesReader(w, r.Body, d.config.BodyLimit)
		w.Header().Set("Content-Type", "application/json")
		next.ServeHTTP(w, r)
	})
	if d.config.Guard == nil {
		return bounded
	}
	return d.config.Guard(bounded)
}

// welcome answers the base path.
func welcome(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "application/json")
	write(w, http.StatusOK, "Welcome To ICOS Job Manager API")
}

// healthz says that the process serves; probes of the old charts read the status alone. It is text, as ever, with
// JSON's quotes.
func healthz(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	write(w, http.StatusOK, "Job Manager working properly!")
}
