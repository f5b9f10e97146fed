package agent

import (
	"container/list"
	"sync"
)

// memoryLimit is how many jobs an agent remembers: more than one agent has, a few hundred bytes each.
const memoryLimit = 1 << 16

// memory is what the agent knows of its jobs beyond the work in progress: the epoch of its own last claim,
// which status reports carry, and what it finished last, so that no generation is driven twice. The job that
// was touched longest ago is forgotten first.
type memory struct {
	limit int

	mu     sync.Mutex // guards the fields below
	recent *list.List // of *record, the newest first
	byJob  map[string]*list.Element
}

type record struct {
	jobID string
	epoch int64 // of the last claim
	stale bool  // somebody else decides since
	done  *finished
}

// finished is the last piece of work on a job that the driver finished.
type finished struct {
	jobType    JobType
	generation int64
	epoch      int64
	result     Result
}

func newMemory(limit int) *memory {
	return &memory{limit: limit, recent: list.New(), byJob: map[string]*list.Element{}}
}

// of gives the record of a job, made when there is none. The caller holds the mutex.
func (m *memory) of(jobID string) *record {
	if element, known := m.byJob[jobID]; known {
		m.recent.MoveToFront(element)
		return element.Value.(*record)
	}
	fresh := &record{jobID: jobID}
	m.byJob[jobID] = m.recent.PushFront(fresh)
	if m.recent.Len() > m.limit {
		oldest := m.recent.Back()
		m.recent.Remove(oldest)
		delete(m.byJob, oldest.Value.(*record).jobID)
	}
	return fresh
}

// claimed notes a claim: from now on the job's statuses carry its epoch.
func (m *memory) claimed(job Job) {
	m.mu.Lock()
	defer m.mu.Unlock()
	known := m.of(job.ID)
	known.epoch, known.stale = max(known.epoch, job.Epoch), false
}

// outdated notes that the claim of this epoch is stale, unless there is a newer one.
func (m *memory) outdated(jobID string, epoch int64) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if element, ok := m.byJob[jobID]; ok && element.Value.(*record).epoch <= epoch {
		element.Value.(*record).stale = true
	}
}

// epoch gives the epoch for a status report; ErrUnclaimed, ErrStale.
func (m *memory) epoch(jobID string) (int64, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	element, ok := m.byJob[jobID]
	if !ok {
		return 0, ErrUnclaimed
	}
	known := element.Value.(*record)
	if known.stale {
		return 0, ErrStale
	}
	return known.epoch, nil
}

// outrun says whether an offer is older than the agent's own last claim of the job.
func (m *memory) outrun(o offer) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	element, ok := m.byJob[o.ID]
	return ok && o.Epoch < element.Value.(*record).epoch
}

// finished notes what the driver has done.
func (m *memory) finished(job Job, result Result) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.of(job.ID).done = &finished{jobType: job.Type, generation: job.Generation, epoch: job.Epoch, result: result}
}

// recall gives the result of the very same work when the driver has finished it already, and the server did
// not hear of it. An update is done once, come what may: it may be relative, and only this agent is asked for
// it. The other work may be done again without harm, and must be when there was another claim in between,
// which may have undone it.
func (m *memory) recall(job Job) (Result, bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	done := m.of(job.ID).done
	if done == nil || done.jobType != job.Type || done.generation != job.Generation {
		return Result{}, false
	}
	if job.Type != UpdateDeployment && job.Epoch > done.epoch+1 {
		return Result{}, false
	}
	done.epoch = job.Epoch
	return done.result, true
}
