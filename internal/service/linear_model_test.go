package service_test

import (
	"fmt"

	"github.com/anishathalye/porcupine"

	"github.com/icos-jobmanager/jobmanager/internal/jobmanager"
)

// The sequential specification of one job's ownership: what concurrent claims, renewals, reports and expiries may
// answer if each took effect at one moment between its call and its return.

// hold is one job: its state, who owns it at which epoch, and the newest attempt.
type hold struct {
	state jobmanager.JobState
	owner jobmanager.OwnerID
	epoch int64
	// until is when the lease ends, in seconds of the test's clock; 0 when there is none.
	until, length int64
	last          try
}

// request is what a client asks.
type request struct {
	job     int
	verb    linearVerb
	owner   jobmanager.OwnerID
	epoch   int64
	claimID string
	// now is the time, and length that of the lease, in seconds.
	now, length int64
}

type linearVerb string

const (
	linearClaim   linearVerb = "claim"
	linearRenew   linearVerb = "renew"
	linearFinish  linearVerb = "finish"
	linearFail    linearVerb = "fail"
	linearRelease linearVerb = "release"
	linearExpire  linearVerb = "expire"
	linearRead    linearVerb = "read"
)

// answer is what a client was told. An unknown one may have taken effect or not, then or later.
type answer struct {
	unknown bool
	code    jobmanager.Code
	owner   jobmanager.OwnerID
	epoch   int64
	state   jobmanager.JobState
}

// apply gives the job after a request and what is to be answered.
func (h hold) apply(r request) (hold, answer) {
	refused := func(code jobmanager.Code) (hold, answer) {
		return h, answer{code: code, owner: h.owner, epoch: h.epoch}
	}
	accepted := func(next hold) (hold, answer) {
		return next, answer{owner: next.owner, epoch: next.epoch, state: next.state}
	}
	switch r.verb {
	case linearClaim:
		again := r.claimID != "" && h.state == jobmanager.Progressing && h.owner == r.owner && h.last.claimID == r.claimID && h.last.outcome == ""
		switch {
		case again:
			return accepted(h)
		case h.until != 0 || h.state == jobmanager.Finished:
			return refused(jobmanager.CodeNotClaimable)
		}
		return accepted(hold{
			jobmanager.Progressing, r.owner, h.epoch + 1, r.now + r.length, r.length,
			try{epoch: h.epoch + 1, owner: r.owner, claimID: r.claimID},
		})
	case linearRenew:
		if h.owner != r.owner || h.epoch != r.epoch || h.until <= r.now {
			return refused(jobmanager.CodeLeaseExpired)
		}
		h.until = r.now + h.length
		return accepted(h)
	case linearExpire:
		if h.until == 0 || h.until > r.now {
			return refused(jobmanager.CodeLeaseExpired)
		}
		h.until, h.last.outcome = 0, jobmanager.OutcomeExpired
		return accepted(h)
	case linearRead:
		return accepted(h)
	default:
		return h.report(r)
	}
}

// report is how an attempt ends by its owner's word.
func (h hold) report(r request) (hold, answer) {
	next := map[linearVerb]hold{
		linearFinish:  {state: jobmanager.Finished, owner: h.owner, last: try{outcome: jobmanager.OutcomeFinished}},
		linearFail:    {state: jobmanager.Degraded, owner: h.owner, last: try{outcome: jobmanager.OutcomeFailed}},
		linearRelease: {state: jobmanager.Created, last: try{outcome: jobmanager.OutcomeReleased}},
	}[r.verb]
	outcome := next.last.outcome
	next.epoch, next.last = h.epoch, h.last
	next.last.outcome = outcome
	switch {
	case h.last.owner == r.owner && h.last.epoch == r.epoch && h.last.outcome == outcome:
		return h, answer{owner: h.owner, epoch: h.epoch, state: h.state}
	case h.owner != r.owner || h.epoch != r.epoch:
		return h, answer{code: jobmanager.CodeStaleOwner, owner: h.owner, epoch: h.epoch}
	case h.last.outcome != "" && h.last.outcome != jobmanager.OutcomeExpired:
		return h, answer{code: jobmanager.CodeWrongState}
	}
	return next, answer{owner: next.owner, epoch: next.epoch, state: next.state}
}

// ownership is the specification in porcupine's terms, with the jobs apart.
func ownership() porcupine.Model {
	model := porcupine.NondeterministicModel{
		Partition: func(history []porcupine.Operation) [][]porcupine.Operation {
			byJob := map[int][]porcupine.Operation{}
			for _, operation := range history {
				job := operation.Input.(request).job
				byJob[job] = append(byJob[job], operation)
			}
			var parts [][]porcupine.Operation
			for _, part := range byJob {
				parts = append(parts, part)
			}
			return parts
		},
		Init: func() []any { return []any{hold{state: jobmanager.Created}} },
		Step: func(state, input, output any) []any {
			before, told := state.(hold), output.(answer)
			next, want := before.apply(input.(request))
			switch {
			case told.unknown:
				return []any{before, next}
			case !told.fits(input.(request).verb, want):
				return nil
			}
			return []any{next}
		},
		DescribeOperation: func(input, output any) string { return fmt.Sprintf("%+v: %+v", input, output) },
		DescribeState:     func(state any) string { return fmt.Sprintf("%+v", state) },
	}
	return model.ToModel()
}

// fits compares an answer with the one that is wanted. Why a renewal was refused is looked up after it, so any reason
// is as good; who holds the job is told with STALE_OWNER and NOT_CLAIMABLE.
func (told answer) fits(verb linearVerb, want answer) bool {
	switch {
	case verb == linearRenew:
		return (told.code == "") == (want.code == "")
	case told.code != want.code:
		return false
	case told.code == jobmanager.CodeWrongState:
		return true
	}
	return told == want
}
