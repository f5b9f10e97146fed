package jobmanager

// Page bounds of every list.
const (
	DefaultPage = 50
	LongestPage = 500
)

// PageRequest asks for a page of a list: First objects after a cursor of that list; an empty cursor begins it.
type PageRequest struct {
	First int
	After string
}

// NewPageRequest takes what a client sent; absent values mean the default. INVALID outside 1 to 500.
func NewPageRequest(first *int, after *string) (PageRequest, error) {
	page := PageRequest{First: DefaultPage}
	if first != nil {
		page.First = *first
	}
	if after != nil {
		page.After = *after
	}
	if page.First < 1 || page.First > LongestPage {
		return page, Errorf(CodeInvalid, "first must be between 1 and %d", LongestPage)
	}
	return page, nil
}

// Connection is a page of a list, with what a Relay client wants to know.
type Connection[T any] struct {
	Edges    []Edge[T]
	PageInfo PageInfo
	// Revision is the cursor to watch from: the page shows everything up to it and nothing after.
	Revision Cursor
}

// Nodes are the objects without their cursors.
func (c *Connection[T]) Nodes() []T {
	nodes := make([]T, 0, len(c.Edges))
	for _, edge := range c.Edges {
		nodes = append(nodes, edge.Node)
	}
	return nodes
}

// Edge is one object of a page and its place in the list.
type Edge[T any] struct {
	Cursor string
	Node   T
}

// PageInfo says how a page lies in its list.
type PageInfo struct {
	HasNextPage bool
	// HasPreviousPage is true when the page does not begin the list.
	HasPreviousPage bool
	StartCursor     Text
	EndCursor       Text
}

// NewConnection makes a page of rows, of which one more than first may have been read to see whether more
// follow. place gives the cursor of a row.
func NewConnection[T any](rows []T, request PageRequest, place func(T) string) *Connection[T] {
	c := &Connection[T]{PageInfo: PageInfo{HasPreviousPage: request.After != ""}}
	if len(rows) > request.First {
		rows, c.PageInfo.HasNextPage = rows[:request.First], true
	}
	for _, row := range rows {
		c.Edges = append(c.Edges, Edge[T]{Cursor: place(row), Node: row})
	}
	if n := len(c.Edges); n > 0 {
		c.PageInfo.StartCursor, c.PageInfo.EndCursor = Text(c.Edges[0].Cursor), Text(c.Edges[n-1].Cursor)
	}
	return c
}

// JobGroupConnection is a page of groups.
type JobGroupConnection = Connection[*JobGroup]

// JobGroupEdge is one group in a page, with its cursor.
type JobGroupEdge = Edge[*JobGroup]

// JobConnection is a page of jobs.
type JobConnection = Connection[*Job]

// JobEdge is one job in a page, with its cursor.
type JobEdge = Edge[*Job]

// AgentConnection is a page of agents.
type AgentConnection = Connection[*Agent]

// AgentEdge is one agent in a page, with its cursor.
type AgentEdge = Edge[*Agent]

// EventConnection is a page of the log.
type EventConnection = Connection[*Event]

// EventEdge is one event of the log in a page, with its cursor.
type EventEdge = Edge[*Event]

// JobPage is a page of a group's jobs that was loaded with the group.
type JobPage struct {
	Request    PageRequest
	Connection *JobConnection
}

// OrderDirection of a list.
type OrderDirection string

// The directions.
const (
	Ascending  OrderDirection = "ASC"
	Descending OrderDirection = "DESC"
)

// JobGroupOrderField is what groups can be ordered by.
type JobGroupOrderField string

// The fields; each is made unique by the id behind it.
const (
	JobGroupsByCreatedAt JobGroupOrderField = "CREATED_AT"
	JobGroupsByUpdatedAt JobGroupOrderField = "UPDATED_AT"
	JobGroupsByName      JobGroupOrderField = "NAME"
)

// JobGroupOrder of a list; the zero value is newest first.
type JobGroupOrder struct {
	Field     JobGroupOrderField
	Direction OrderDirection
}

// JobOrderField is what jobs can be ordered by.
type JobOrderField string

// The fields; each is made unique by the id behind it.
const (
	JobsByCreatedAt JobOrderField = "CREATED_AT"
	JobsByUpdatedAt JobOrderField = "UPDATED_AT"
	JobsByComponent JobOrderField = "COMPONENT"
)

// JobOrder of a list; the zero value is newest first.
type JobOrder struct {
	Field     JobOrderField
	Direction OrderDirection
}

// Give is the wanted page out of the loaded one; nil when that does not cover it.
func (p *JobPage) Give(wanted PageRequest) *JobConnection {
	if p == nil || p.Request.After != wanted.After || p.Request.First < wanted.First {
		return nil
	}
	if len(p.Connection.Edges) <= wanted.First {
		return p.Connection
	}
	cut := *p.Connection
	cut.Edges = cut.Edges[:wanted.First]
	cut.PageInfo.HasNextPage = true
	cut.PageInfo.EndCursor = Text(cut.Edges[wanted.First-1].Cursor)
	return &cut
}
