package graph

import (
	"context"
	"encoding/json"

	"github.com/99designs/gqlgen/graphql"

	"github.com/icos-jobmanager/jobmanager/internal/jobmanager"
)

// selection is what an operation asks for at one place of the answer.
type selection struct {
	operation *graphql.OperationContext
	fields    []graphql.CollectedField
}

// selected is what is asked for below the field that is being resolved.
func selected(ctx context.Context) selection {
	s := selection{operation: graphql.GetOperationContext(ctx)}
	if field := graphql.GetFieldContext(ctx); field != nil {
		s.fields = graphql.CollectFields(s.operation, field.Field.Selections, objectTypes())
	}
	return s
}

// objectTypes are the types whose fragments the look-ahead follows.
func objectTypes() []string {
	return []string{
		"Node", "JobGroup", "Job", "Resource", "Incompliance", "Remediation",
		"IncomplianceConnection", "IncomplianceEdge", "IncomplianceMessage", "RetryJobPayload", "AbandonJobPayload", "AdoptResourcePayload",
		"JobGroupConnection", "JobGroupEdge", "JobConnection", "JobEdge", "AgentConnection", "AgentEdge",
		"ClaimJobPayload", "ClaimJobsPayload", "JobMessage", "JobGroupMessage", "ResourceMessage",
	}
}

// into goes down into the fields of that name, whatever their aliases.
func (s selection) into(name string) selection {
	below := selection{operation: s.operation}
	for _, field := range s.fields {
		if field.Name == name {
			below.fields = append(below.fields, graphql.CollectFields(s.operation, field.Selections, objectTypes())...)
		}
	}
	return below
}

// objects goes down into the objects of a connection, by edges and by nodes.
func (s selection) objects() selection {
	objects := s.into("nodes")
	objects.fields = append(objects.fields, s.into("edges").into("node").fields...)
	return objects
}

// has says whether a field of that name is asked for.
func (s selection) has(name string) bool {
	for _, field := range s.fields {
		if field.Name == name {
			return true
		}
	}
	return false
}

// jobLoad is what a selection on jobs needs.
func jobLoad(s selection) jobmanager.JobLoad {
	load := jobmanager.JobLoad{Manifests: s.has("manifests"), Attempts: s.has("attempts"), Presence: s.has("waiting")}
	if s.has("group") {
		group := groupLoad(s.into("group"))
		load.Group = &group
	}
	return load
}

// remediationJobs is what a selection on incompliances needs of the jobs of their remediations; nil for nothing.
func remediationJobs(s selection) *jobmanager.JobLoad {
	remediations := s.into("remediations")
	if !remediations.has("job") {
		return nil
	}
	load := jobLoad(remediations.into("job"))
	return &load
}

// groupLoad is what a selection on groups needs. What is asked of the groups of their jobs, which are these
// groups again, is loaded with them at once.
func groupLoad(s selection) jobmanager.GroupLoad {
	load := jobmanager.GroupLoad{Descriptor: s.has("descriptor"), Jobs: s.firstPage("jobs")}
	load.JobLoad = jobLoad(s.into("jobs").objects())
	if again := load.JobLoad.Group; again != nil && load.Jobs != nil {
		load.Descriptor = load.Descriptor || again.Descriptor
		if again.Jobs != nil && again.Jobs.First > load.Jobs.First {
			load.Jobs = again.Jobs
		}
		load.JobLoad.Manifests = load.JobLoad.Manifests || again.JobLoad.Manifests
		load.JobLoad.Attempts = load.JobLoad.Attempts || again.JobLoad.Attempts
		load.JobLoad.Presence = load.JobLoad.Presence || again.JobLoad.Presence
	}
	return load
}

// firstPage is the longest first page that is asked for below fields of that name, which serves the shorter
// ones too; nil when there is none. A page further on is read when its field is resolved.
func (s selection) firstPage(name string) *jobmanager.PageRequest {
	var longest *jobmanager.PageRequest
	for _, field := range s.fields {
		if field.Name != name {
			continue
		}
		arguments := field.ArgumentMap(s.operation.Variables)
		if after, _ := arguments["after"].(string); after != "" {
			continue
		}
		page := jobmanager.PageRequest{First: number(arguments["first"])}
		if page.First < 1 || page.First > jobmanager.LongestPage {
			continue // the field's own resolver refuses it
		}
		if longest == nil || longest.First < page.First {
			longest = &page
		}
	}
	return longest
}

// number reads a count out of an argument; the default page when it is absent.
func number(argument any) int {
	switch n := argument.(type) {
	case int64:
		return int(n)
	case int:
		return n
	case float64:
		return int(n)
	case json.Number:
		if parsed, err := n.Int64(); err == nil {
			return int(parsed)
		}
		return 0
	}
	return jobmanager.DefaultPage
}
