package rest

import (
	"errors"
	"strconv"
	"time"

	"github.com/icos-jobmanager/jobmanager/internal/jobmanager"
)

// The JSON that the old API shows: its keys in its order, numbers for types and states, and each id twice, as it was
// (ID) and as it was documented (id). wire_show.go fills it in, wire_read.go reads what clients send.

// errorBody is every refusal.
type errorBody struct {
	Error string `json:"error"`
}

// identity begins every object; ids are text, or the numbers of what lies inside of others.
type identity[ID string | int64] struct {
	CreatedAt moment `json:"created_at"`
	UpdatedAt moment `json:"updated_at"`
	Legacy    ID     `json:"ID"`
	ID        ID     `json:"id"`
}

type wireGroup struct {
	identity[string]
	AppName        string `json:"appName"`
	AppDescription string `json:"appDescription"`
	// Jobs are null in the answer to a descriptor without components.
	Jobs []wireJob `json:"jobs"`
}

type wireJob struct {
	identity[string]
	GroupID   string `json:"job_group_id"`
	OwnerID   string `json:"owner_id,omitempty"`
	GroupName string `json:"job_group_name"`
	Type      int    `json:"type,omitempty"`
	SubType   string `json:"sub_type,omitempty"`
	State     int    `json:"state,omitempty"`
	// Manifests are null in an echo that has none.
	Manifests    []wireManifest `json:"manifests"`
	Target       wireTarget     `json:"targets"`
	Orchestrator string         `json:"orchestrator"`
	Resource     *wireResource  `json:"resource,omitempty"`
	Namespace    string         `json:"namespace,omitempty"`
}

type wireManifest struct {
	identity[int64]
	YAML string `json:"yamlString"`
}

// wireTarget carries the number that fences reports as its id: agents echo it.
type wireTarget struct {
	identity[int64]
	Cluster      string `json:"cluster_name"`
	Node         string `json:"node_name,omitempty"`
	Orchestrator string `json:"orchestrator"`
}

type wireResource struct {
	identity[string]
	JobID      string          `json:"job_id"`
	UID        string          `json:"resource_uuid,omitempty"`
	Name       string          `json:"resource_name,omitempty"`
	Conditions []wireCondition `json:"conditions,omitempty"`
}

type wireCondition struct {
	identity[int64]
	Type               string `json:"type"`
	Status             string `json:"status"`
	ObservedGeneration int64  `json:"observedGeneration,omitempty"`
	LastTransitionTime moment `json:"lastTransitionTime"`
	Reason             string `json:"reason"`
	Message            string `json:"message"`
}

type wireIncompliance struct {
	identity[string]
	CurrentValue       string            `json:"currentValue,omitempty"`
	Threshold          string            `json:"threshold,omitempty"`
	PolicyName         string            `json:"policyName"`
	PolicyID           string            `json:"policyId"`
	MeasurementBackend string            `json:"measurementBackend,omitempty"`
	ExtraLabels        map[string]string `json:"extraLabels,omitempty"`
	Subject            wireSubject       `json:"subject"`
	Remediation        string            `json:"remediation"`
}

type wireSubject struct {
	identity[string]
	Type         string `json:"type,omitempty"`
	AppName      string `json:"appName,omitempty"`
	AppComponent string `json:"appComponent,omitempty"`
	AppInstance  string `json:"appInstance,omitempty"`
	ResourceID   string `json:"resourceId,omitempty"`
}

// moment is a time as the old service wrote it: RFC 3339 in UTC, milliseconds without the zeros at their end. It
// reads what RFC 3339 allows, and null and an empty text as no time.
type moment time.Time

// MarshalJSON writes the time.
func (m moment) MarshalJSON() ([]byte, error) {
	return []byte(strconv.Quote(time.Time(m).UTC().Truncate(time.Millisecond).Format(time.RFC3339Nano))), nil
}

// errNoTime says that a time cannot be read.
var errNoTime = errors.New("the body has a time that is none of RFC 3339")

// UnmarshalJSON reads a time.
func (m *moment) UnmarshalJSON(text []byte) error {
	if string(text) == `""` {
		return nil
	}
	if (*time.Time)(m).UnmarshalJSON(text) != nil {
		return errNoTime
	}
	return nil
}

// The numbers of the states.
const (
	numberCreated = iota + 1
	numberProgressing
	numberFinished
	numberDegraded
)

// The numbers of the job types, which go on where those of the states end.
const (
	numberCreate = iota + 5
	numberDelete
	numberUpdate
	numberReplace
)

func numberOfState(state jobmanager.JobState) int {
	switch state {
	case jobmanager.Created:
		return numberCreated
	case jobmanager.Progressing:
		return numberProgressing
	case jobmanager.Finished:
		return numberFinished
	case jobmanager.Degraded:
		return numberDegraded
	}
	return 0
}

func numberOfType(kind jobmanager.JobType) int {
	switch kind {
	case jobmanager.CreateDeployment:
		return numberCreate
	case jobmanager.DeleteDeployment:
		return numberDelete
	case jobmanager.UpdateDeployment:
		return numberUpdate
	case jobmanager.ReplaceDeployment:
		return numberReplace
	}
	return 0
}

// typeOfNumber reads a job type; none for 0, which is what a client sends that does not say.
func typeOfNumber(number int) (jobmanager.JobType, error) {
	switch number {
	case 0:
		return "", nil
	case numberCreate:
		return jobmanager.CreateDeployment, nil
	case numberDelete:
		return jobmanager.DeleteDeployment, nil
	case numberUpdate:
		return jobmanager.UpdateDeployment, nil
	case numberReplace:
		return jobmanager.ReplaceDeployment, nil
	}
	return "", jobmanager.Errorf(codeMalformed, "type must be a number between %d and %d", numberCreate, numberReplace)
}

// checkState refuses what is no state; 0 is what a client sends that does not say.
func checkState(number int) error {
	if number < 0 || number > numberDegraded {
		return jobmanager.Errorf(codeMalformed, "state must be a number between %d and %d", numberCreated, numberDegraded)
	}
	return nil
}

// statusWord is a condition's status in the words of Kubernetes.
func statusWord(status jobmanager.ConditionStatus) string {
	switch status {
	case jobmanager.StatusTrue:
		return "True"
	case jobmanager.StatusFalse:
		return "False"
	case jobmanager.StatusUnknown:
	}
	return "Unknown"
}
