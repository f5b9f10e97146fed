package rest

import (
	"cmp"
	"maps"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/gorilla/mux"

	"github.com/icos-jobmanager/jobmanager/internal/jobmanager"
	"github.com/icos-jobmanager/jobmanager/internal/service"
)

// What clients send, as far as it counts; keys in any case, those that are not here change nothing. A field that
// stands here only with its type makes a wrong type an error, as it ever was.

// jobBody is an agent's echo of a job with its report.
type jobBody struct {
	CreatedAt        moment         `json:"created_at"`
	UpdatedAt        moment         `json:"updated_at"`
	ID               string         `json:"id"`
	GroupID          string         `json:"job_group_id"`
	OwnerID          string         `json:"owner_id"`
	GroupName        string         `json:"job_group_name"`
	GroupDescription string         `json:"job_group_description"`
	Type             int            `json:"type"`
	SubType          string         `json:"sub_type"`
	State            int            `json:"state"`
	Manifests        []manifestBody `json:"manifests"`
	Target           targetBody     `json:"targets"`
	Orchestrator     string         `json:"orchestrator"`
	Resource         *resourceBody  `json:"resource"`
	Namespace        string         `json:"namespace"`
}

type manifestBody struct {
	YAML string `json:"yamlString"`
}

type targetBody struct {
	ID           int64  `json:"id"`
	Cluster      string `json:"cluster_name"`
	Node         string `json:"node_name"`
	Orchestrator string `json:"orchestrator"`
}

type resourceBody struct {
	ID         string          `json:"id"`
	JobID      string          `json:"job_id"`
	UID        string          `json:"resource_uuid"`
	Name       string          `json:"resource_name"`
	Conditions []conditionBody `json:"conditions"`
}

type conditionBody struct {
	Type               string `json:"type"`
	Status             string `json:"status"`
	ObservedGeneration int64  `json:"observedGeneration"`
	LastTransitionTime moment `json:"lastTransitionTime"`
	Reason             string `json:"reason"`
	Message            string `json:"message"`
}

// readReport reads the word of an agent that its work was done. The id is that of the path, where it has one.
func readReport(r *http.Request) (service.ReportJobInput, error) {
	var body jobBody
	if err := readJSON(r, &body); err != nil {
		return service.ReportJobInput{}, err
	}
	id, err := idOf(r, body.ID)
	if err != nil {
		return service.ReportJobInput{}, err
	}
	kind, err := typeOfNumber(body.Type)
	if err != nil {
		return service.ReportJobInput{}, err
	}
	if err := checkState(body.State); err != nil {
		return service.ReportJobInput{}, err
	}
	if body.OwnerID == "" {
		return service.ReportJobInput{}, jobmanager.Errorf(codeMalformed, textNoOwner)
	}
	report := service.ReportJobInput{JobID: id, OwnerID: jobmanager.OwnerID(body.OwnerID), Type: kind, Epoch: body.Target.ID}
	if body.Resource != nil {
		report.Resource = body.Resource.input()
	}
	if t := body.Target; t.Cluster != "" && t.Orchestrator != "" {
		report.Target = &jobmanager.Target{Cluster: t.Cluster, Node: jobmanager.Text(t.Node), Orchestrator: t.Orchestrator}
	}
	return report, nil
}

// idOf is the id of the path, which a body may repeat but not contradict, else that of the body.
func idOf(r *http.Request, inBody string) (jobmanager.ID, error) {
	inPath := mux.Vars(r)["id"]
	id, err := jobmanager.ParseID(cmp.Or(inPath, inBody))
	if err != nil {
		return "", jobmanager.Wrap(codeMalformed, err, jobmanager.Sentence(err))
	}
	if inBody != "" && !strings.EqualFold(inBody, string(id)) {
		return "", jobmanager.Errorf(codeMalformed, "the body is about %s and the path about %s", inBody, id)
	}
	return id, nil
}

// input leaves out what says nothing: the conditions without a type or a status that an agent sends after a removal.
func (b resourceBody) input() service.ResourceInput {
	resource := service.ResourceInput{Name: jobmanager.Text(b.Name)}
	if b.UID != noUID {
		resource.UID = jobmanager.Text(b.UID)
	}
	for _, c := range b.Conditions {
		if c.Type == "" || c.Status == "" {
			continue
		}
		condition := service.ConditionInput{
			Type: c.Type, Status: jobmanager.ConditionStatus(strings.ToUpper(c.Status)),
			Reason: jobmanager.Text(c.Reason), Message: jobmanager.Text(c.Message), ObservedGeneration: &c.ObservedGeneration,
		}
		if at := time.Time(c.LastTransitionTime); !at.IsZero() {
			condition.LastTransitionTime = &at
		}
		resource.Conditions = append(resource.Conditions, condition)
	}
	return resource
}

// readStatus reads what a sync says of one workload. The uid stands in the body; that of the path counts where the
// body has none.
func readStatus(r *http.Request) (service.ResourceInput, error) {
	var body resourceBody
	if err := readJSON(r, &body); err != nil {
		return service.ResourceInput{}, err
	}
	status := body.input()
	if status.UID == "" {
		status.UID = jobmanager.Text(mux.Vars(r)["id"])
	}
	return status, nil
}

// readPromote reads who takes the job.
func readPromote(r *http.Request) (service.ClaimListedJobInput, error) {
	var body struct {
		OwnerID string `json:"owner_id"`
	}
	id, err := readID(r)
	if err != nil {
		return service.ClaimListedJobInput{}, err
	}
	if err := readJSON(r, &body); err != nil {
		return service.ClaimListedJobInput{}, err
	}
	if body.OwnerID == "" {
		return service.ClaimListedJobInput{}, jobmanager.Errorf(codeMalformed, textNoOwner)
	}
	return service.ClaimListedJobInput{JobID: id, OwnerID: jobmanager.OwnerID(body.OwnerID)}, nil
}

// readDescriptor reads an application descriptor, YAML or JSON, whatever its Content-Type says.
func readDescriptor(r *http.Request) (string, error) {
	body, err := readBody(r)
	return string(body), err
}

// groupUpdate is a new descriptor for a group.
type groupUpdate struct {
	groupID    jobmanager.ID
	descriptor string
}

func readUpdate(r *http.Request) (groupUpdate, error) {
	id, err := readID(r)
	if err != nil {
		return groupUpdate{}, err
	}
	descriptor, err := readDescriptor(r)
	return groupUpdate{id, descriptor}, err
}

// groupBody is a group that a client has changed; nothing but manifests counts.
type groupBody struct {
	ID   string `json:"id"`
	Jobs []struct {
		ID        string         `json:"id"`
		Manifests []manifestBody `json:"manifests"`
	} `json:"jobs"`
}

// isGroup says whether the body is a group and no descriptor.
func isGroup(body []byte) bool {
	keys := keysOf(body)
	_, hasJobs := keys["jobs"]
	_, hasID := keys["id"]
	return hasJobs || hasID
}

// readPatch reads the manifests of a changed group by job. A job without manifests is named all the same, so that an
// unknown one is refused.
func readPatch(r *http.Request) (service.PatchJobGroupInput, error) {
	var body groupBody
	if err := readJSON(r, &body); err != nil {
		return service.PatchJobGroupInput{}, err
	}
	id, err := idOf(r, body.ID)
	patch := service.PatchJobGroupInput{JobGroupID: id, Manifests: map[jobmanager.ID][]string{}}
	if err != nil {
		return patch, err
	}
	for i, job := range body.Jobs {
		jobID, err := jobmanager.ParseID(job.ID)
		if err != nil {
			return patch, jobmanager.Errorf(codeMalformed, "jobs[%d]: %s", i, jobmanager.Sentence(err))
		}
		patch.Manifests[jobID] = nil
		for _, manifest := range job.Manifests {
			patch.Manifests[jobID] = append(patch.Manifests[jobID], manifest.YAML)
		}
	}
	return patch, nil
}

// incomplianceBody is a policy manager's report.
type incomplianceBody struct {
	ID                 string            `json:"id"`
	CurrentValue       string            `json:"currentValue"`
	Threshold          string            `json:"threshold"`
	PolicyName         string            `json:"policyName"`
	PolicyID           string            `json:"policyId"`
	MeasurementBackend string            `json:"measurementBackend"`
	ExtraLabels        map[string]string `json:"extraLabels"`
	Subject            struct {
		Type         string `json:"type"`
		AppName      string `json:"appName"`
		AppComponent string `json:"appComponent"`
		AppInstance  string `json:"appInstance"`
		ResourceID   string `json:"resourceId"`
	} `json:"subject"`
	Remediation string `json:"remediation"`
}

func readIncompliance(r *http.Request) (service.ReportIncomplianceInput, error) {
	var body incomplianceBody
	if err := readJSON(r, &body); err != nil {
		return service.ReportIncomplianceInput{}, err
	}
	report := service.ReportIncomplianceInput{
		Remediation: body.Remediation, PolicyName: jobmanager.Text(body.PolicyName), PolicyID: jobmanager.Text(body.PolicyID),
		CurrentValue: jobmanager.Text(body.CurrentValue), Threshold: jobmanager.Text(body.Threshold),
		MeasurementBackend: jobmanager.Text(body.MeasurementBackend),
		Subject: service.SubjectInput{
			Type: jobmanager.Text(body.Subject.Type), AppName: jobmanager.Text(body.Subject.AppName),
			AppComponent: jobmanager.Text(body.Subject.AppComponent), AppInstance: jobmanager.Text(body.Subject.AppInstance),
			ResourceID: jobmanager.Text(body.Subject.ResourceID),
		},
	}
	for _, name := range slices.Sorted(maps.Keys(body.ExtraLabels)) {
		report.ExtraLabels = append(report.ExtraLabels, service.LabelInput{Name: name, Value: body.ExtraLabels[name]})
	}
	if body.ID != "" {
		id, err := jobmanager.ParseID(body.ID)
		if err != nil {
			return report, jobmanager.Wrap(codeMalformed, err, jobmanager.Sentence(err))
		}
		report.ID = &id
	}
	return report, nil
}
