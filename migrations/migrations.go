// Package migrations holds the schema of the database as numbered SQL files, one folder for each dialect, and
// nothing else: internal/store runs them. Both folders have the same file names and lead to the same tables; a
// test of the store compares them. A released file is never edited: a change is a new pair of files.
package migrations

import (
	"embed"
	"io/fs"
)

//go:embed postgres/*.sql sqlite/*.sql
var files embed.FS

// For gives the SQL files of a dialect: "postgres" or "sqlite".
func For(dialect string) (fs.FS, error) { return fs.Sub(files, dialect) }
