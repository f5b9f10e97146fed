package rest

import (
	"encoding/json"
	"net/http"
	"strings"

	"github.com/icos-jobmanager/jobmanager/internal/jobmanager"
)

// The JSON of the first dialect (v0), which the Nuvla agent 0.0.3 reads and writes: one text of manifests, a list of
// targets, a lock in place of an owner, and other numbers for the job types.

type jobV0 struct {
	ID           string     `json:"ID"`
	UID          string     `json:"uuid"`
	GroupID      string     `json:"job_group_id"`
	GroupName    string     `json:"job_group_name"`
	Type         int        `json:"type"`
	State        int        `json:"state"`
	Manifest     string     `json:"manifest"`
	Targets      []targetV0 `json:"targets"`
	Locker       bool       `json:"locker"`
	Orchestrator string     `json:"orchestrator"`
	UpdatedAt    moment     `json:"updated_at"`
	Resource     resourceV0 `json:"resource"`
	Namespace    string     `json:"namespace"`
}

type targetV0 struct {
	Cluster      string `json:"cluster_name"`
	Node         string `json:"node_name,omitempty"`
	Orchestrator string `json:"orchestrator"`
}

type resourceV0 struct {
	JobID     string `json:"job_id"`
	UID       string `json:"resource_uuid"`
	Name      string `json:"resource_name,omitempty"`
	UpdatedAt moment `json:"updatedAt"`
}

// noUID is how this dialect, and some clients of the next, write that there is no uid.
const noUID = "00000000-0000-0000-0000-000000000000"

// The numbers of this dialect's job types; an update is a deployment to it.
const (
	numberCreateV0 = 5
	numberDeleteV0 = 7
)

// betweenManifests stands between two texts of one job, each of which ends with its own line.
const betweenManifests = "\n---\n"

func showJobV0(j *jobmanager.Job) any { return newJobV0(j) }

func showJobsV0(jobs []*jobmanager.Job) any {
	shown := make([]jobV0, 0, len(jobs))
	for _, j := range jobs {
		listed := newJobV0(j)
		listed.State, listed.Locker = numberCreated, false // whatever was tried before: it is to be taken
		shown = append(shown, listed)
	}
	return shown
}

func newJobV0(j *jobmanager.Job) jobV0 {
	shown := jobV0{
		ID: string(j.ID), UID: noUID, GroupID: string(j.GroupID), GroupName: nameOf(j.Group), Type: numberCreateV0,
		State: numberOfState(j.State), Manifest: manifestV0(j.Manifests), Targets: []targetV0{}, Locker: j.Owner != "" && (j.Lease != nil || j.State == jobmanager.Finished),
		Orchestrator: string(j.Orchestrator), UpdatedAt: moment(j.UpdatedAt), Namespace: j.Namespace,
		Resource: resourceV0{JobID: string(j.ID), UID: noUID, Name: j.Component, UpdatedAt: moment(j.UpdatedAt)},
	}
	if j.Type == jobmanager.DeleteDeployment {
		shown.Type = numberDeleteV0
	}
	if t := j.Target; t != nil {
		shown.Targets = append(shown.Targets, targetV0{t.Cluster, nodeOf(t), t.Orchestrator})
	}
	if j.Resource != nil && j.Resource.UID != "" {
		shown.UID, shown.Resource.UID = string(j.Resource.UID), string(j.Resource.UID)
	}
	return shown
}

// manifestV0 is one stream of all manifests.
func manifestV0(manifests []jobmanager.Manifest) string {
	if len(manifests) == 0 {
		return ""
	}
	texts := make([]string, 0, len(manifests))
	for _, manifest := range manifests {
		texts = append(texts, strings.TrimRight(manifest.Text, "\n"))
	}
	return strings.Join(texts, betweenManifests) + "\n"
}

// lockWord is what a v0 agent says of a job.
type lockWord struct {
	jobID jobmanager.ID
	says  lockVerb
}

type lockVerb string

const (
	saysLock   lockVerb = "lock"
	saysDone   lockVerb = "done"
	saysUnlock lockVerb = "unlock"
)

// isLock says whether the body is a v0 agent's word: it alone has a lock.
func isLock(body []byte) bool {
	_, has := keysOf(body)["locker"]
	return has
}

// keysOf are the keys of a JSON object, in lower case; none when the text is none.
func keysOf(body []byte) map[string]json.RawMessage {
	var object map[string]json.RawMessage
	if json.Unmarshal(body, &object) != nil {
		return nil
	}
	keys := make(map[string]json.RawMessage, len(object))
	for key, value := range object {
		keys[strings.ToLower(key)] = value
	}
	return keys
}

// readLock reads a v0 agent's word. An unlock is a failure whatever state it names.
func readLock(r *http.Request) (lockWord, error) {
	id, err := readID(r)
	if err != nil {
		return lockWord{}, err
	}
	var body struct {
		Locker bool `json:"locker"`
		State  int  `json:"state"`
	}
	if err := readJSON(r, &body); err != nil {
		return lockWord{}, err
	}
	switch {
	case !body.Locker, body.State == numberDegraded:
		return lockWord{id, saysUnlock}, nil
	case body.State == numberProgressing:
		return lockWord{id, saysLock}, nil
	case body.State == numberFinished:
		return lockWord{id, saysDone}, nil
	}
	return lockWord{}, jobmanager.Errorf(codeMalformed, "a locked job is in state %d (taken) or %d (done)", numberProgressing, numberFinished)
}
