package store

import (
	"encoding/base64"
	"strconv"
	"strings"
	"time"

	"github.com/uptrace/bun"

	"github.com/icos-jobmanager/jobmanager/internal/jobmanager"
)

// column is what a list is ordered by; the id behind it makes the order unique.
type column struct {
	name  string // with its alias: job.created_at
	id    string
	moves bool // a time, not a text
	desc  bool
}

// keyset is an order, and the place in it that a page begins after.
type keyset struct {
	column
	value any // nil at the beginning
	id    jobmanager.ID
}

// newKeyset reads a cursor of a list with this order; INVALID for one of another list, or of none.
func newKeyset(c column, cursor string) (keyset, error) {
	k := keyset{column: c}
	if cursor == "" {
		return k, nil
	}
	malformed := jobmanager.Errorf(jobmanager.CodeInvalid,
		"after is not a cursor of this list in this order: send back one that the list gave, or none")
	text, err := base64.RawURLEncoding.DecodeString(cursor)
	if err != nil {
		return k, malformed
	}
	parts := strings.SplitN(string(text), "|", 3)
	if len(parts) != 3 || parts[0] != c.name {
		return k, malformed
	}
	if k.id, err = jobmanager.ParseID(parts[1]); err != nil {
		return k, malformed
	}
	if !c.moves {
		k.value = plain(parts[2])
		return k, nil
	}
	at, err := strconv.ParseInt(parts[2], 10, 64)
	if err != nil || !withinCalendar(at) {
		return k, malformed
	}
	k.value = time.UnixMicro(at).UTC()
	return k, nil
}

// withinCalendar keeps a forged cursor from naming a year that the databases cannot write.
func withinCalendar(micro int64) bool {
	year := time.UnixMicro(micro).UTC().Year()
	return year >= 1 && year <= 9999
}

// cursor is the place of an object with this value and id.
func (c column) cursor(value any, id jobmanager.ID) string {
	text, isText := value.(string)
	if at, isTime := value.(time.Time); isTime && !isText {
		text = strconv.FormatInt(at.UnixMicro(), 10)
	}
	return base64.RawURLEncoding.EncodeToString([]byte(c.name + "|" + string(id) + "|" + text))
}

// page orders a query, begins it after the place, and reads one row more than first, to see whether more follow.
func (k keyset) page(q *bun.SelectQuery, first int) *bun.SelectQuery {
	return k.ordered(k.beyond(q)).Limit(int64(first) + 1)
}

// beyond leaves out what stands before the place.
func (k keyset) beyond(q *bun.SelectQuery) *bun.SelectQuery {
	if k.value == nil {
		return q
	}
	if k.desc {
		return q.Where("(?, ?) < (?, ?)", bun.Ident(k.name), bun.Ident(k.column.id), k.value, k.id)
	}
	return q.Where("(?, ?) > (?, ?)", bun.Ident(k.name), bun.Ident(k.column.id), k.value, k.id)
}

func (k keyset) ordered(q *bun.SelectQuery) *bun.SelectQuery {
	if k.desc {
		return q.OrderExpr("? DESC, ? DESC", bun.Ident(k.name), bun.Ident(k.column.id))
	}
	return q.OrderExpr("?, ?", bun.Ident(k.name), bun.Ident(k.column.id))
}

// queueOrder is the oldest claimable first.
func queueOrder() column { return column{name: "job.queued_at", id: "job.id", moves: true} }

// memberOrder is a group's jobs as the descriptor has them: ids are given in that order, at one time.
func memberOrder() column { return column{name: "job.created_at", id: "job.id", moves: true} }

// jobOrder is newest first where nothing is said; names go up, times go down.
func jobOrder(o jobmanager.JobOrder) column {
	c := column{name: "job.created_at", id: "job.id", moves: true, desc: o.Direction != jobmanager.Ascending}
	switch o.Field {
	case jobmanager.JobsByUpdatedAt:
		c.name = "job.updated_at"
	case jobmanager.JobsByComponent:
		c.name, c.moves, c.desc = "job.component", false, o.Direction == jobmanager.Descending
	case jobmanager.JobsByCreatedAt:
	}
	return c
}

// groupOrder is newest first where nothing is said; names go up, times go down.
func groupOrder(o jobmanager.JobGroupOrder) column {
	c := column{name: "job_group.created_at", id: "job_group.id", moves: true, desc: o.Direction != jobmanager.Ascending}
	switch o.Field {
	case jobmanager.JobGroupsByUpdatedAt:
		c.name = "job_group.updated_at"
	case jobmanager.JobGroupsByName:
		c.name, c.moves, c.desc = "job_group.name", false, o.Direction == jobmanager.Descending
	case jobmanager.JobGroupsByCreatedAt:
	}
	return c
}
