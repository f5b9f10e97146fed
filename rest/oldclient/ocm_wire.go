package oldclient

import (
	"encoding/json"
	"fmt"
	"time"
)

// What the OCM agent 1.4.1 reads and writes: its own structs, in its own order of keys. What a server sends beside
// them is not read, and what it leaves out is zero.

// The job types of the agent.
const (
	OCMCreate  = 5
	OCMDelete  = 6
	OCMUpdate  = 7
	OCMReplace = 8
)

// The agent's numbers for how its work stands; the old service reads other words into them.
const (
	OCMStateApplied     = 1
	OCMStateProgressing = 2
	OCMStateAvailable   = 3
	OCMStateDegraded    = 4
)

// OCMStamps are the times of every object.
type OCMStamps struct {
	CreatedAt time.Time `json:"created_at"`
	UpdatedAt time.Time `json:"updated_at"`
}

// OCMJob is one entry of the executable list, and the body of a report.
type OCMJob struct {
	OCMStamps
	ID               string        `json:"id"`
	GroupID          string        `json:"job_group_id"`
	OwnerID          string        `json:"owner_id,omitempty"`
	GroupName        string        `json:"job_group_name"`
	GroupDescription string        `json:"job_group_description,omitempty"`
	Type             int           `json:"type,omitempty"`
	SubType          string        `json:"sub_type,omitempty"`
	State            int           `json:"state,omitempty"`
	Manifests        []OCMManifest `json:"manifests"`
	Target           OCMTarget     `json:"targets"`
	Orchestrator     string        `json:"orchestrator"`
	Resource         *OCMResource  `json:"resource,omitempty"`
	Namespace        string        `json:"namespace,omitempty"`
}

// OCMManifest is one text to apply.
type OCMManifest struct {
	OCMStamps
	ID         uint32 `json:"id"`
	YAMLString string `json:"yamlString"`
}

// OCMTarget is where a job runs.
type OCMTarget struct {
	OCMStamps
	ID           uint32 `json:"id"`
	ClusterName  string `json:"cluster_name"`
	NodeName     string `json:"node_name,omitempty"`
	Orchestrator string `json:"orchestrator"`
}

// OCMResource is what runs for a job, and the body of a status.
type OCMResource struct {
	OCMStamps
	ID           string         `json:"id"`
	JobID        string         `json:"job_id"`
	ResourceUUID string         `json:"resource_uuid,omitempty"`
	ResourceName string         `json:"resource_name,omitempty"`
	Conditions   []OCMCondition `json:"conditions,omitempty"`
}

// OCMCondition is one of Kubernetes.
type OCMCondition struct {
	Type               string  `json:"type"`
	Status             string  `json:"status"`
	ObservedGeneration int64   `json:"observedGeneration,omitempty"`
	LastTransitionTime OCMTime `json:"lastTransitionTime"`
	Reason             string  `json:"reason"`
	Message            string  `json:"message"`
}

// OCMTime is one of Kubernetes: whole seconds in UTC, null when it is zero.
type OCMTime struct{ time.Time }

// MarshalJSON writes whole seconds, or null.
func (t OCMTime) MarshalJSON() ([]byte, error) {
	if t.IsZero() {
		return []byte("null"), nil
	}
	return []byte(t.UTC().Format(`"` + time.RFC3339 + `"`)), nil
}

// UnmarshalJSON reads what RFC 3339 allows, or null.
func (t *OCMTime) UnmarshalJSON(text []byte) error {
	if string(text) == "null" {
		t.Time = time.Time{}
		return nil
	}
	var word string
	if err := json.Unmarshal(text, &word); err != nil {
		return fmt.Errorf("a time: %w", err)
	}
	at, err := time.Parse(time.RFC3339, word)
	if err != nil {
		return fmt.Errorf("a time: %w", err)
	}
	t.Time = at.Local()
	return nil
}
