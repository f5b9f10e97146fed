package rest

import (
	"cmp"
	"time"

	"github.com/icos-jobmanager/jobmanager/internal/jobmanager"
	"github.com/icos-jobmanager/jobmanager/internal/service"
)

// look is how a route shows jobs: what the old service had loaded there.
type look struct {
	// conditions of the resources are shown.
	conditions bool
	// initial stands for the conditions of a job that nobody has executed yet.
	initial bool
	// bare shows no manifests as null, and no jobs of a group too.
	bare bool
	// handOut is for an agent that executes what it is listed.
	handOut bool
}

// The looks.
var (
	lookJob     = look{}
	lookHandOut = look{handOut: true}
	lookReport  = look{conditions: true, bare: true}
	lookGroup   = look{conditions: true, initial: true}
	lookEcho    = look{conditions: true, initial: true, bare: true}
)

func showJob(j *jobmanager.Job) any { return lookJob.job(j, j.Group) }

func echoJob(j *jobmanager.Job) any { return lookReport.job(j, j.Group) }

func showHandOut(jobs []*jobmanager.Job) any {
	shown := make([]wireJob, 0, len(jobs))
	for _, j := range jobs {
		shown = append(shown, lookHandOut.job(j, j.Group))
	}
	return shown
}

func showGroup(g *jobmanager.JobGroup) any { return lookGroup.group(g) }

func echoGroup(g *jobmanager.JobGroup) any { return lookEcho.group(g) }

// showOne is what the old service counted: the rows that it deleted.
func showOne(*service.DeleteJobPayload) any { return 1 }

// showNothing is for an answer without a body.
func showNothing[T any](T) any { return nil }

// showStatus is the list of conditions.
func showStatus(j *jobmanager.Job) any {
	if shown := lookGroup.conditionsOf(j); shown != nil {
		return shown
	}
	return []wireCondition{}
}

// showResource shows a resource that a sync named.
func showResource(r *jobmanager.Resource) any {
	j := *r.Job
	j.Resource = r
	return lookReport.resource(&j)
}

func (as look) group(g *jobmanager.JobGroup) wireGroup {
	shown := wireGroup{identity: identify(string(g.ID), g.CreatedAt, g.UpdatedAt), AppName: g.Name, AppDescription: g.Description}
	if !as.bare {
		shown.Jobs = []wireJob{}
	}
	for _, j := range g.Jobs {
		shown.Jobs = append(shown.Jobs, as.job(j, g))
	}
	return shown
}

func (as look) job(j *jobmanager.Job, g *jobmanager.JobGroup) wireJob {
	return wireJob{
		identity: identify(string(j.ID), j.CreatedAt, j.UpdatedAt), GroupID: string(j.GroupID), GroupName: nameOf(g),
		OwnerID: string(j.Owner), Type: numberOfType(j.Type), SubType: string(j.SubType), State: numberOfState(j.State),
		Manifests: as.manifests(j), Target: as.target(j), Orchestrator: string(j.Orchestrator),
		Resource: as.resource(j), Namespace: j.Namespace,
	}
}

// nameOf is the group's name; a group that went meanwhile has none.
func nameOf(g *jobmanager.JobGroup) string {
	if g == nil {
		return ""
	}
	return g.Name
}

func (as look) manifests(j *jobmanager.Job) []wireManifest {
	var shown []wireManifest
	if !as.bare {
		shown = []wireManifest{}
	}
	for i, manifest := range j.Manifests {
		shown = append(shown, wireManifest{identify(int64(i+1), j.CreatedAt, j.UpdatedAt), manifest.Text})
	}
	return shown
}

// target is zero where none is known yet.
func (as look) target(j *jobmanager.Job) wireTarget {
	if j.Target == nil {
		return wireTarget{}
	}
	return wireTarget{
		identity: identify(as.fence(j), j.CreatedAt, j.UpdatedAt),
		Cluster:  j.Target.Cluster, Node: nodeOf(j.Target), Orchestrator: j.Target.Orchestrator,
	}
}

// nodeOf is never empty: agents pass over a job without a node, so the cluster's name stands in.
func nodeOf(t *jobmanager.Target) string { return cmp.Or(string(t.Node), t.Cluster) }

// fence is the number that a report must echo: that of the claim which is to come where the job is handed out, else
// of what was: who only reads a job, and sends it back, reports nothing.
func (as look) fence(j *jobmanager.Job) int64 {
	if as.handOut {
		return j.Epoch + 1
	}
	return j.Epoch
}

// resource is there before anything runs: agents rely on it. Who is to create it makes its name of the component's.
func (as look) resource(j *jobmanager.Job) *wireResource {
	shown := &wireResource{identity: identify(string(j.ResourceID()), j.CreatedAt, j.UpdatedAt), JobID: string(j.ID), Name: j.Component}
	if r := j.Resource; r != nil {
		shown.identity = identify(string(r.ID), j.CreatedAt, r.SeenAt)
		shown.UID, shown.Name = string(r.UID), cmp.Or(r.Name, j.Component)
	}
	if as.handOut && j.Type == jobmanager.CreateDeployment {
		shown.Name = j.Component
	}
	shown.Conditions = as.conditionsOf(j)
	return shown
}

func (as look) conditionsOf(j *jobmanager.Job) []wireCondition {
	if !as.conditions {
		return nil
	}
	if j.Resource == nil || len(j.Resource.Conditions) == 0 {
		return as.firstConditions(j)
	}
	var shown []wireCondition
	for i, c := range j.Resource.Conditions {
		at := c.LastTransitionTime.Truncate(time.Second)
		shown = append(shown, wireCondition{
			identity: identify(int64(i+1), at, at), Type: c.Type, Status: statusWord(c.Status),
			ObservedGeneration: c.ObservedGeneration, LastTransitionTime: moment(at), Reason: c.Reason, Message: c.Message,
		})
	}
	return shown
}

// firstConditions are the pair that the old service gave to each new job, until it is executed.
func (as look) firstConditions(j *jobmanager.Job) []wireCondition {
	if !as.initial || j.Type != jobmanager.CreateDeployment || j.State == jobmanager.Finished {
		return nil
	}
	first := func(number int64, reason, message string) wireCondition {
		return wireCondition{
			identity: identify(number, j.CreatedAt, j.CreatedAt), Type: "Created", Status: "True", ObservedGeneration: 1,
			LastTransitionTime: moment(j.CreatedAt.Truncate(time.Second)), Reason: reason, Message: message,
		}
	}
	return []wireCondition{
		first(1, "AwaitingForTarget", "Waiting for the Target"),
		first(2, "AwaitingForExecution", "Waiting an Orchestrator to take the Job"),
	}
}

func showIncompliance(i *jobmanager.Incompliance) any {
	self, s := identify(string(i.ID), i.CreatedAt, i.CreatedAt), i.Subject
	shown := wireIncompliance{
		identity: self, CurrentValue: string(i.CurrentValue), Threshold: string(i.Threshold), PolicyName: i.PolicyName,
		PolicyID: string(i.PolicyID), MeasurementBackend: string(i.MeasurementBackend), Remediation: i.Remediation,
		Subject: wireSubject{
			identity: self, Type: string(s.Type), AppName: string(s.AppName), AppComponent: string(s.AppComponent),
			AppInstance: string(s.AppInstance), ResourceID: string(s.ResourceID),
		},
	}
	for _, label := range i.ExtraLabels {
		if shown.ExtraLabels == nil {
			shown.ExtraLabels = map[string]string{}
		}
		shown.ExtraLabels[label.Name] = label.Value
	}
	return shown
}

// identify begins an object. What was never changed was changed when it was made.
func identify[ID string | int64](id ID, created, updated time.Time) identity[ID] {
	if updated.IsZero() {
		updated = created
	}
	return identity[ID]{moment(created), moment(updated), id, id}
}
