package jobmanager

import (
	"errors"
	"fmt"
	"regexp"
	"regexp/syntax"
	"slices"
	"strings"
	"time"
)

// Incompliance is one report that a policy is broken, with what became of it.
type Incompliance struct {
	ID     ID     `json:"id"`
	Tenant Tenant `json:"tenant"`
	// GroupID is the application that it was found to be about; empty when it fits none.
	GroupID ID `json:"groupId,omitempty"`
	// Remediation as the policy names it.
	Remediation        string  `json:"remediation"`
	PolicyName         string  `json:"policyName"`
	PolicyID           Text    `json:"policyId,omitempty"`
	CurrentValue       Text    `json:"currentValue,omitempty"`
	Threshold          Text    `json:"threshold,omitempty"`
	MeasurementBackend Text    `json:"measurementBackend,omitempty"`
	ExtraLabels        []Label `json:"extraLabels,omitempty"`
	Subject            Subject `json:"subject"`
	// Remediations are the answers, one for each job that it is about.
	Remediations []Remediation `json:"remediations"`
	// Reason says why it is about no job; empty when it is about one.
	Reason    Text      `json:"reason,omitempty"`
	CreatedAt time.Time `json:"createdAt"`
}

// IsNode marks an incompliance as a Node.
func (*Incompliance) IsNode() {}

// Label is one label of the metric that broke the policy.
type Label struct {
	Name  string `json:"name"`
	Value string `json:"value"`
}

// Subject says what an incompliance is about.
type Subject struct {
	Type         Text `json:"type,omitempty"`
	AppName      Text `json:"appName,omitempty"`
	AppComponent Text `json:"appComponent,omitempty"`
	// AppInstance is the id of the group.
	AppInstance Text `json:"appInstance,omitempty"`
	// ResourceID is the orchestrator's uid of a resource, or our id of it.
	ResourceID Text `json:"resourceId,omitempty"`
}

// Picker gives what says whether the subject's component fits one of the names: a component's, or what its resource
// is or was called. A star fits all, "/a|b/" what the expression between the slashes fits as a whole.
func (s Subject) Picker() func(names ...string) bool {
	wanted := string(s.AppComponent)
	if wanted == "*" {
		return func(...string) bool { return true }
	}
	fits := func(name string) bool { return name == wanted }
	if expression, ok := s.expression(); ok {
		compiled, err := regexp.Compile(expression)
		if err != nil {
			return func(...string) bool { return false } // Check refuses it
		}
		fits = compiled.MatchString
	}
	return func(names ...string) bool {
		return slices.ContainsFunc(names, func(name string) bool { return name != "" && fits(name) })
	}
}

// Picks is Picker for one job.
func (s Subject) Picks(names ...string) bool { return s.Picker()(names...) }

// expression is the one between slashes, for a name as a whole; ok is false where there is none.
func (s Subject) expression() (text string, ok bool) {
	wanted := string(s.AppComponent)
	if len(wanted) < 3 || !strings.HasPrefix(wanted, "/") || !strings.HasSuffix(wanted, "/") {
		return "", false
	}
	return "^(?:" + wanted[1:len(wanted)-1] + ")$", true
}

// checkExpression refuses an expression that cannot be read, or that would take long over many names.
func (s Subject) checkExpression() error {
	expression, ok := s.expression()
	if !ok {
		return nil
	}
	parsed, err := syntax.Parse(expression, syntax.Perl)
	if err != nil {
		return Errorf(CodeInvalid, "subject.appComponent %s is no expression that can be read", quoted(string(s.AppComponent)))
	}
	program, err := syntax.Compile(parsed.Simplify())
	if err != nil || len(program.Inst) > largestExpression {
		return Errorf(CodeInvalid, "subject.appComponent %s is too large an expression: name fewer alternatives and repetitions", quoted(string(s.AppComponent)))
	}
	return nil
}

// The bounds of a report.
const (
	mostLabels        = 64
	longestSubject    = 500
	longestLabel      = 2000
	longestPolicyText = 500
	// largestExpression is in steps of the compiled expression: some hundred names as alternatives.
	largestExpression = 1000
)

// Check refuses what does not fit.
func (i *Incompliance) Check() error {
	if len(i.ExtraLabels) > mostLabels {
		return Errorf(CodeInvalid, "an incompliance has at most %d extra labels", mostLabels)
	}
	err := errors.Join(
		CheckText("remediation", i.Remediation, longestPolicyText), CheckText("policyName", i.PolicyName, longestPolicyText),
		CheckText("policyId", string(i.PolicyID), longestPolicyText), CheckText("currentValue", string(i.CurrentValue), longestPolicyText),
		CheckText("threshold", string(i.Threshold), longestPolicyText),
		CheckText("measurementBackend", string(i.MeasurementBackend), longestPolicyText),
		CheckText("subject.type", string(i.Subject.Type), longestSubject), CheckText("subject.appName", string(i.Subject.AppName), longestSubject),
		CheckText("subject.appComponent", string(i.Subject.AppComponent), longestSubject),
		CheckText("subject.appInstance", string(i.Subject.AppInstance), longestSubject),
		CheckText("subject.resourceId", string(i.Subject.ResourceID), longestSubject),
	)
	for n, label := range i.ExtraLabels {
		err = errors.Join(err, CheckText(fmt.Sprintf("extraLabels[%d].name", n), label.Name, longestLabel),
			CheckText(fmt.Sprintf("extraLabels[%d].value", n), label.Value, longestLabel))
	}
	if err != nil {
		return Errorf(CodeInvalid, "%w", err)
	}
	return i.Subject.checkExpression()
}

// Settle notes the answers of the jobs that the incompliance is about, and tells of it.
func (i *Incompliance) Settle(answers []Remediation, now time.Time) Event {
	i.Remediations, i.CreatedAt = answers, now
	words := []string{fmt.Sprintf("policy %s is broken", quoted(i.PolicyName))}
	for _, answer := range answers {
		words = append(words, fmt.Sprintf("%s of %s: %s", quoted(i.Remediation), answer.Component, answer.Outcome))
	}
	if len(answers) == 0 {
		i.Reason = "NoSuchJob: no job of this application instance, component or resource is known"
		words = append(words, string(i.Reason))
	}
	message := strings.Join(words, "; ")
	told := *i
	return Event{Type: IncomplianceReported, Tenant: i.Tenant, At: now, GroupID: i.GroupID, Message: message, Incompliance: &told}
}

// RemedyRule answers an incompliance at one job. It may run more than once.
type RemedyRule func(j *Job, now time.Time) (Remediation, []Event)

// IncomplianceFilter picks incompliances; every field that is set must hold, a list holds with any of its values.
type IncomplianceFilter struct {
	IDs         []ID
	JobGroupIDs []ID
	JobIDs      []ID
	Outcomes    []RemediationOutcome
}

// Watched says whether the filter picks an incompliance as it was reported.
func (f IncomplianceFilter) Watched(i *Incompliance) bool {
	if !among(f.IDs, i.ID) || !among(f.JobGroupIDs, i.GroupID) {
		return false
	}
	if len(f.JobIDs) == 0 && len(f.Outcomes) == 0 {
		return true
	}
	for _, answer := range i.Remediations {
		if among(f.JobIDs, answer.JobID) && among(f.Outcomes, answer.Outcome) {
			return true
		}
	}
	return false
}

// IncomplianceQuery asks for a page of incompliances, the newest first.
type IncomplianceQuery struct {
	Scope  Scope
	Filter IncomplianceFilter
	Page   PageRequest
	// Jobs is what comes with the jobs of the remediations; nil for no jobs.
	Jobs *JobLoad
}

// IncomplianceConnection is a page of incompliances.
type IncomplianceConnection = Connection[*Incompliance]

// IncomplianceEdge is one incompliance in a page, with its cursor.
type IncomplianceEdge = Edge[*Incompliance]
