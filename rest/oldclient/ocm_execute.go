package oldclient

import (
	"errors"
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"time"
)

// How long the agent looks for conditions of a work that it made, how often, and how long a call of Kubernetes' API
// takes at least.
const (
	conditionsLimit = 5 * time.Second
	conditionsPoll  = 500 * time.Millisecond
	apiCall         = time.Millisecond
)

// errTimeout is what the agent makes of a work that has no conditions in time.
var errTimeout = errors.New("timed out while waiting for the status of the work")

// AgentPanicError is a panic of the real agent: the rest of its tick is not done.
type AgentPanicError struct{ Reason string }

// Error says what the agent stumbled over.
func (e *AgentPanicError) Error() string { return "the agent panics: " + e.Reason }

// execute does a job on the fleet as planned and writes into it what the agent reports. An error means that nothing
// is reported.
func (h *Hub) execute(job *OCMJob, plan Plan) error {
	if job.Type < OCMCreate || job.Type > OCMReplace {
		return fmt.Errorf("job type %d is not supported", job.Type)
	}
	if job.Resource == nil && (job.Type != OCMUpdate || job.SubType != "") {
		return &AgentPanicError{"job " + job.ID + " has no resource"}
	}
	h.elapse(apiCall)
	if plan.Outcome == Fails {
		return errors.New("as scripted")
	}
	if job.Type == OCMCreate {
		return h.createWork(job, plan)
	}
	h.Fleet.mu.Lock()
	defer h.Fleet.mu.Unlock()
	switch job.Type {
	case OCMDelete:
		return h.removeWork(job)
	case OCMReplace:
		return h.replaceWork(job)
	}
	switch job.SubType {
	case "scale-up", "scale-down", "scale-out", "scale-in":
		return h.scaleWork(job)
	case "reallocation":
		return h.removeWork(job)
	}
	return fmt.Errorf("job sub type %q does not exist", job.SubType)
}

// createWork makes a work and waits for its conditions.
func (h *Hub) createWork(job *OCMJob, plan Plan) error {
	work := Work{
		Name: job.Resource.ResourceName + "-", Cluster: job.Target.ClusterName,
		Manifests: append([]string{namespaceOf(job)}, decodable(job.Manifests)...), Annotations: annotations(job),
	}
	made, err := h.Fleet.make(work)
	if err != nil {
		return err
	}
	if plan.Outcome == TimesOut {
		h.elapse(conditionsLimit)
		return errTimeout
	}
	h.elapse(conditionsPoll)
	h.Fleet.mu.Lock()
	defer h.Fleet.mu.Unlock()
	made.Conditions = h.Fleet.conditions(plan.Last)
	tell(job, made)
	return nil
}

// removeWork deletes by name. The agent 1.4.1 leaves the resource as it was listed.
func (h *Hub) removeWork(job *OCMJob) error {
	if err := h.Fleet.remove(job.Target.ClusterName, job.Resource.ResourceName); err != nil {
		return err
	}
	job.State = OCMStateApplied
	if h.EmptiesDeleted {
		job.Resource.ResourceName = ""
		job.Resource.Conditions = append(job.Resource.Conditions, OCMCondition{Type: "Applied"})
	}
	return nil
}

// replaceWork puts other manifests in, this time without the namespace.
func (h *Hub) replaceWork(job *OCMJob) error {
	work, err := h.Fleet.get(job.Target.ClusterName, job.Resource.ResourceName)
	if err != nil {
		return err
	}
	work.Manifests, work.Annotations = decodable(job.Manifests), annotations(job)
	tell(job, work)
	return nil
}

// scaleWork changes the Deployments of a work and drops all its other manifests.
func (h *Hub) scaleWork(job *OCMJob) error {
	work, err := h.Fleet.get(job.Target.ClusterName, job.Resource.ResourceName)
	if err != nil {
		return err
	}
	manifests, resized := []string{namespaceOf(job)}, work.Resized
	for _, text := range work.Manifests {
		if !isDeployment.MatchString(text) {
			continue
		}
		scaled, by, err := scale(text, job.SubType)
		if err != nil {
			return err
		}
		manifests, resized = append(manifests, scaled), resized+by
	}
	if len(manifests) == 1 {
		return &AgentPanicError{"the work has no Deployment to scale"}
	}
	work.Manifests, work.Resized = manifests, resized
	tell(job, work)
	return nil
}

// The agent decodes with a scheme; a glance at the text is enough for what the tests submit.
var (
	isKnown      = regexp.MustCompile(`(?m)^apiVersion:\s*["']?(v1|apps/v1)["']?\s*(#.*)?$`)
	isDeployment = regexp.MustCompile(`(?m)^kind:\s*Deployment\b`)
	replicas     = regexp.MustCompile(`(\breplicas:\s*)(\d+)`)
)

// scale changes one Deployment; by is how its requests changed, in steps.
func scale(text, subType string) (scaled string, by int, err error) {
	switch subType {
	case "scale-out", "scale-in":
		if !strings.Contains(text, "requests:") {
			return "", 0, &AgentPanicError{"the Deployment has no requests to change"}
		}
		if subType == "scale-in" {
			return text, -1, nil
		}
		return text, 1, nil
	}
	found := replicas.FindStringSubmatch(text)
	if found == nil {
		return "", 0, &AgentPanicError{"the Deployment names no replicas"}
	}
	count, err := strconv.Atoi(found[2])
	if err != nil {
		return "", 0, fmt.Errorf("replicas: %w", err)
	}
	if count++; subType == "scale-down" {
		count -= 2
	}
	return replicas.ReplaceAllString(text, "${1}"+strconv.Itoa(count)), 0, nil
}

// decodable are the manifests whose API the agent knows; the others it leaves out with a line in its log.
func decodable(manifests []OCMManifest) []string {
	var texts []string
	for _, manifest := range manifests {
		if isKnown.MatchString(manifest.YAMLString) {
			texts = append(texts, manifest.YAMLString)
		}
	}
	return texts
}

func namespaceOf(job *OCMJob) string {
	return "apiVersion: v1\nkind: Namespace\nmetadata:\n  name: " + job.Namespace
}

func annotations(job *OCMJob) map[string]string {
	return map[string]string{
		"app.icos.eu/name":            job.GroupName,
		"app.icos.eu/component":       job.Resource.ResourceName,
		"app.icos.eu/instance":        job.GroupID,
		"jobmanager.icos.eu/manifest": job.Resource.ID,
	}
}

// tell writes into the job what stands: the last condition alone decides its state.
func tell(job *OCMJob, work *Work) {
	job.State = OCMStateProgressing
	if n := len(work.Conditions); n > 0 {
		switch work.Conditions[n-1].Type {
		case "Progressing":
		case "Available":
			job.State = OCMStateAvailable
		case "Degraded":
			job.State = OCMStateDegraded
		default:
			job.State = OCMStateApplied
		}
	}
	job.Resource.ResourceUUID, job.Resource.ResourceName = work.UID, work.Name
	job.Resource.Conditions = append(job.Resource.Conditions, work.Conditions...)
}
