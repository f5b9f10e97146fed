package jobmanager

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
)

// ConditionStatus is what a condition says: yes, no, or nobody knows.
type ConditionStatus string

// The statuses, as the Kubernetes API conventions have them.
const (
	StatusTrue    ConditionStatus = "TRUE"
	StatusFalse   ConditionStatus = "FALSE"
	StatusUnknown ConditionStatus = "UNKNOWN"
)

// The condition types that the Job Manager itself reads; the list is open.
const (
	ConditionAvailable = "Available"
	ConditionDegraded  = "Degraded"
)

// Condition is one dated statement about a resource; a resource has at most one of each type.
type Condition struct {
	Type    string          `json:"type"`
	Status  ConditionStatus `json:"status"`
	Reason  string          `json:"reason"`
	Message string          `json:"message"`
	// ObservedGeneration of the object that the statement is about; 0 when the reporter names none.
	ObservedGeneration int64 `json:"observedGeneration,omitempty"`
	// LastTransitionTime moves only when Status changes.
	LastTransitionTime time.Time `json:"lastTransitionTime"`
}

// Resource is what runs on the target for a job, as the orchestrator names it.
type Resource struct {
	ID    ID `json:"id"`
	JobID ID `json:"jobId"`
	// UID is the orchestrator's own; never ours.
	UID Text `json:"uid,omitempty"`
	// Name is the orchestrator's; the component's name until it gives one.
	Name       string      `json:"name"`
	Conditions []Condition `json:"conditions"`
	// SeenAt is when an agent last reported it, coarsely.
	SeenAt time.Time `json:"seenAt"`
	// Job is nil where it was not loaded.
	Job *Job `json:"-"`
}

// Unhealthy says whether the conditions tell of trouble: Degraded=True or Available=False.
func (r *Resource) Unhealthy() bool {
	if r == nil {
		return false
	}
	for _, c := range r.Conditions {
		if c.Type == ConditionDegraded && c.Status == StatusTrue || c.Type == ConditionAvailable && c.Status == StatusFalse {
			return true
		}
	}
	return false
}

// ResourceReport is an agent's word on what runs. Empty fields say nothing.
type ResourceReport struct {
	UID        string
	Name       string
	Conditions []Condition
	// Whole says that the conditions are all there are: those of other types are gone.
	Whole bool
	// Target is where its agent was sent; nil when the report does not say.
	Target *Target
}

// The bounds of a report; the lengths are those of the Kubernetes API conventions.
const (
	mostConditions       = 64
	longestConditionType = 316
	longestReason        = 1024
	longestMessage       = 32 * 1024
	longestResourceName  = 253
	// largestReport bounds all conditions together: every event about a resource carries them.
	largestReport = 64 * 1024
)

// Check refuses what does not fit, with the first place that does not.
func (r ResourceReport) Check() error {
	if len(r.Conditions) > mostConditions {
		return Errorf(CodeInvalid, "a resource has at most %d conditions", mostConditions)
	}
	err := errors.Join(CheckText("uid", r.UID, longestResourceName), CheckText("name", r.Name, longestResourceName))
	if t := r.Target; t != nil {
		err = errors.Join(err, CheckText("cluster", t.Cluster, longestResourceName), CheckText("node", string(t.Node), longestResourceName),
			CheckText("orchestrator", t.Orchestrator, longestResourceName))
	}
	if err != nil {
		return Errorf(CodeInvalid, "%w", err)
	}
	seen, size := map[string]bool{}, 0
	for i, c := range r.Conditions {
		if err := c.check(); err != nil {
			return Errorf(CodeInvalid, "conditions[%d]: %w", i, err)
		}
		if seen[c.Type] {
			return Errorf(CodeInvalid, "conditions[%d]: type %s stands twice", i, quoted(c.Type))
		}
		seen[c.Type] = true
		size += len(c.Type) + len(c.Reason) + len(c.Message)
	}
	if size > largestReport {
		return Errorf(CodeInvalid, "the conditions have more than %d bytes together: shorten their messages", largestReport)
	}
	return nil
}

func (c Condition) check() error {
	switch {
	case c.Type == "":
		return errors.New("type must not be empty")
	case c.Status != StatusTrue && c.Status != StatusFalse && c.Status != StatusUnknown:
		return fmt.Errorf("status must be %s, %s or %s, not %s", StatusTrue, StatusFalse, StatusUnknown, quoted(string(c.Status)))
	case c.ObservedGeneration < 0:
		return errors.New("observedGeneration must not be negative")
	}
	return errors.Join(CheckText("type", c.Type, longestConditionType),
		CheckText("reason", c.Reason, longestReason), CheckText("message", c.Message, longestMessage))
}

// Fitted is the report with conditions that fit, for a reporter that hears no refusal: what has no known status is left
// out, of a type that stands twice the last counts, messages are cut.
func (r ResourceReport) Fitted() ResourceReport {
	last := map[string]int{}
	for i, c := range r.Conditions {
		if c.check() == nil || c.Status == StatusTrue || c.Status == StatusFalse || c.Status == StatusUnknown {
			last[c.Type] = i
		}
	}
	var fitted []Condition
	for i, c := range r.Conditions {
		if at, known := last[c.Type]; !known || at != i || c.Type == "" || CheckText("type", c.Type, longestConditionType) != nil || len(fitted) == mostConditions {
			continue
		}
		c.ObservedGeneration = max(0, c.ObservedGeneration)
		c.Reason, c.Message = cut(c.Reason, longestReason/2), cut(c.Message, longestMessage)
		fitted = append(fitted, c)
	}
	for i := range fitted {
		fitted[i].Message = cut(fitted[i].Message, (largestReport-len(fitted)*longestConditionType)/len(fitted)-longestReason/2)
	}
	r.Conditions, r.Whole = fitted, len(fitted) > 0
	return r
}

// cut is the text without what cannot be stored, and not longer than so many bytes.
func cut(text string, most int) string {
	text = strings.ToValidUTF8(strings.ReplaceAll(text, "\x00", ""), "")
	return strings.ToValidUTF8(text[:min(len(text), max(0, most))], "")
}

// names says whether the report has a condition of the type.
func (r ResourceReport) names(kind string) bool {
	return slices.ContainsFunc(r.Conditions, func(c Condition) bool { return c.Type == kind })
}

// seenEvery is how coarsely "last seen" is kept: the same content within it writes nothing.
const seenEvery = time.Minute

// applyReport merges a report into the job's resource. There is no event when nothing but the last-seen mark
// changed: same content again is none.
func (j *Job) applyReport(report ResourceReport, now time.Time) ([]Event, error) {
	if err := report.Check(); err != nil {
		return nil, err
	}
	former := j.former()
	known, seen := j.Resource != nil, j.Resource
	if !known {
		seen = &Resource{ID: j.ResourceID(), JobID: j.ID, Name: j.Component}
	}
	next, changed := seen.after(report, now)
	changed = changed || !known
	if !changed && within(seenEvery, seen.SeenAt, now) {
		return nil, nil
	}
	next.SeenAt = now
	j.Resource = &next
	j.forget(string(next.UID))
	if report.UID != "" {
		j.dropCandidates(now)
	}
	if !changed {
		return nil, nil
	}
	event := j.event(ResourceReported, former, now, fmt.Sprintf("%s reported %s", j.Owner, conditionWords(next.Conditions)))
	return []Event{event}, nil
}

// after is what a report makes of the resource, and whether it changes its content. An agent that is heard again,
// and does not say how the workload does, is not silent any more.
func (r *Resource) after(report ResourceReport, now time.Time) (Resource, bool) {
	next := *r
	isNew := report.UID != "" && r.UID != "" && Text(report.UID) != r.UID
	if isNew {
		next.Conditions = nil // another uid is another workload
	}
	if report.UID != "" {
		next.UID = Text(report.UID)
	}
	if report.Name != "" {
		next.Name = report.Name
	}
	merged, changed := mergeConditions(next.Conditions, report.Conditions, now)
	next.Conditions = merged
	if report.Whole {
		next.Conditions = slices.DeleteFunc(merged, func(c Condition) bool { return !report.names(c.Type) })
		changed = changed || len(next.Conditions) < len(merged)
	}
	if r.silent() && next.silent() {
		next.Conditions = slices.DeleteFunc(next.Conditions, func(c Condition) bool { return c.Type == ConditionAvailable })
		changed = true
	}
	return next, changed || isNew || next.UID != r.UID || next.Name != r.Name
}

// mergeConditions sets each reported condition by type, as the Kubernetes API conventions say, and tells
// whether any content changed. The slices given are left alone.
func mergeConditions(current, reported []Condition, now time.Time) ([]Condition, bool) {
	merged := append([]Condition{}, current...)
	changed := false
	for _, report := range reported {
		at := -1
		for i := range merged {
			if merged[i].Type == report.Type {
				at = i
			}
		}
		if at < 0 {
			report.LastTransitionTime = transitionTime(report, now)
			merged, changed = append(merged, report), true
			continue
		}
		if next, differs := nextCondition(merged[at], report, now); differs {
			merged[at], changed = next, true
		}
	}
	return merged, changed
}

// nextCondition is what a report makes of the condition of its type.
func nextCondition(current, report Condition, now time.Time) (Condition, bool) {
	if report.ObservedGeneration == 0 {
		report.ObservedGeneration = current.ObservedGeneration // its reporter names none
	}
	if report.ObservedGeneration < current.ObservedGeneration {
		return current, false // an older observation never overwrites a newer one
	}
	if report.Status == current.Status {
		report.LastTransitionTime = current.LastTransitionTime
	} else {
		report.LastTransitionTime = transitionTime(report, now)
	}
	return report, report != current
}

// transitionTime is the reporter's when it gives one that is not in the future, else now.
func transitionTime(report Condition, now time.Time) time.Time {
	if report.LastTransitionTime.IsZero() || report.LastTransitionTime.After(now) {
		return now
	}
	return report.LastTransitionTime.UTC().Truncate(time.Microsecond)
}

// reasonSilent is the reason of Available=Unknown for an agent that was not heard of for its grace time.
const reasonSilent = "AgentLeaseExpired"

// Silence writes down that nobody knows how the workload does, for its agent is silent: Available=Unknown, never
// False; the agent's next report sets it right. A resource that says so already is left alone.
func (j *Job) Silence(now time.Time) []Event {
	if j.Resource == nil || j.Workload == WorkloadNone || j.Resource.silent() {
		return nil
	}
	former, next := j.former(), *j.Resource
	unknown := Condition{
		Type: ConditionAvailable, Status: StatusUnknown, Reason: reasonSilent,
		Message: fmt.Sprintf("its agent %s is silent", j.Owner), LastTransitionTime: now,
	}
	next.Conditions, _ = mergeConditions(next.Conditions, []Condition{unknown}, now)
	j.Resource = &next
	return []Event{j.event(ResourceReported, former, now, fmt.Sprintf("%s is silent: nobody knows how %s does", j.Owner, j.Component))}
}

// silent says whether the resource's agent was silent for too long.
func (r *Resource) silent() bool {
	if r == nil {
		return false
	}
	for _, c := range r.Conditions {
		if c.Type == ConditionAvailable {
			return c.Status == StatusUnknown && c.Reason == reasonSilent
		}
	}
	return false
}

// conditionWords lists conditions for an event's message.
func conditionWords(conditions []Condition) string {
	if len(conditions) == 0 {
		return "a resource without conditions"
	}
	words := make([]string, 0, len(conditions))
	for _, c := range conditions {
		words = append(words, c.Type+"="+string(c.Status))
	}
	return strings.Join(words, ", ")
}
