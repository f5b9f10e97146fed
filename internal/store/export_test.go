package store

import "github.com/uptrace/bun"

// Watch lets a test see every statement.
func (s *Store) Watch(hook bun.QueryHook) {
	s.write = s.write.WithQueryHook(hook)
	s.read = s.read.WithQueryHook(hook)
}

// ForgetEvents deletes events up to a revision, as retention does.
func (s *Store) ForgetEvents(upTo int64) error {
	_, err := s.write.Exec("DELETE FROM events WHERE revision <= ?", upTo)
	return err
}

// BreakIdentity makes the store read the incarnation from its own row, as where the server tells none.
func (s *Store) BreakIdentity() { s.identity.Store(nil) }
