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
		"Node", "JobGroup", "Job", "Resource",
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
	return jobmanager.JobLoad{
		Manifests: s.has("manifests"), Attempts: s.has("attempts"), Group: s.has("group"), Presence: s.has("waiting"),
	}
}

// groupLoad is what a selection on groups needs. The longest first page of jobs that is asked for serves the
// shorter ones too; a page further on is read when its field is resolved.
func groupLoad(s selection) jobmanager.GroupLoad {
	load := jobmanager.GroupLoad{Descriptor: s.has("descriptor")}
	for _, field := range s.fields {
		if field.Name != "jobs" {
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
		if load.Jobs == nil || load.Jobs.First < page.First {
			load.Jobs = &page
		}
	}
	load.JobLoad = jobLoad(s.into("jobs").objects())
	return load
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
