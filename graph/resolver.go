// Package graph is the GraphQL door: it binds the schema to the service and shows errors. A resolver calls
// one service method and returns; it decides nothing. What a query selects is looked up ahead (lookahead.go)
// and loaded with the objects, so that a list costs a fixed number of statements.
//
// Start with resolver.go and handler.go. graph/generated is the tool's output, graph/transport carries the
// operations, graph/graphiql is the page to try them with.
package graph

import (
	"context"

	"github.com/icos-jobmanager/jobmanager/graph/generated"
	"github.com/icos-jobmanager/jobmanager/internal/jobmanager"
	"github.com/icos-jobmanager/jobmanager/internal/service"
)

// Resolver is the root of all resolvers.
type Resolver struct{ Service *service.Service }

type (
	queryResolver        struct{ *Resolver }
	mutationResolver     struct{ *Resolver }
	subscriptionResolver struct{ *Resolver }
	jobGroupResolver     struct{ *Resolver }
	jobResolver          struct{ *Resolver }
	resourceResolver     struct{ *Resolver }
	agentResolver        struct{ *Resolver }
	remediationResolver  struct{ *Resolver }
)

// Query gives the resolvers of queries.
func (r *Resolver) Query() generated.QueryResolver { return queryResolver{r} }

// Mutation gives the resolvers of mutations.
func (r *Resolver) Mutation() generated.MutationResolver { return mutationResolver{r} }

// Subscription gives the resolvers of subscriptions.
func (r *Resolver) Subscription() generated.SubscriptionResolver { return subscriptionResolver{r} }

// JobGroup gives the resolvers of a group's fields.
func (r *Resolver) JobGroup() generated.JobGroupResolver { return jobGroupResolver{r} }

// Job gives the resolvers of a job's fields.
func (r *Resolver) Job() generated.JobResolver { return jobResolver{r} }

// Resource gives the resolvers of a resource's fields.
func (r *Resolver) Resource() generated.ResourceResolver { return resourceResolver{r} }

// Agent gives the resolvers of an agent's fields.
func (r *Resolver) Agent() generated.AgentResolver { return agentResolver{r} }

// Remediation gives the resolvers of a remediation's fields.
func (r *Resolver) Remediation() generated.RemediationResolver { return remediationResolver{r} }

// who is calling.
func who(ctx context.Context) jobmanager.Principal { return jobmanager.PrincipalFrom(ctx) }

// or is what a nullable argument points to; the zero value when it is absent.
func or[T any](argument *T) T {
	if argument == nil {
		var zero T
		return zero
	}
	return *argument
}
