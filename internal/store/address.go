package store

import (
	"net/url"
	"strings"

	"github.com/icos-jobmanager/jobmanager/internal/jobmanager"
)

// The kinds of databases.
const (
	kindSQLite   = "sqlite"
	kindPostgres = "postgres"
)

// address is a database URL after reading.
type address struct {
	kind string
	path string // of the SQLite file
	url  string // of the PostgreSQL database
}

// parseAddress reads a database URL; INVALID, without showing a password, for what is none.
func parseAddress(text string) (address, error) {
	if path, found := strings.CutPrefix(text, "sqlite://"); found {
		switch {
		case path == "" || strings.HasSuffix(path, "/"):
			return address{}, jobmanager.Errorf(jobmanager.CodeInvalid,
				"the database URL names no file: sqlite:///var/lib/jobmanager/jobmanager.db is one that does")
		case strings.Contains(path, ":memory:"):
			return address{}, jobmanager.Errorf(jobmanager.CodeInvalid,
				"an SQLite database in memory is not supported: name a file, such as sqlite:///tmp/jobmanager.db")
		case strings.ContainsAny(path, "?#"):
			return address{}, jobmanager.Errorf(jobmanager.CodeInvalid,
				"an SQLite URL takes no options: give the path of the file alone")
		}
		return address{kind: kindSQLite, path: path}, nil
	}
	u, err := url.Parse(text)
	if err != nil || u.Scheme != "postgres" && u.Scheme != "postgresql" {
		return address{}, jobmanager.Errorf(jobmanager.CodeInvalid,
			"the database URL must be sqlite:///path/to/file.db or postgres://user:password@host:5432/database")
	}
	return address{kind: kindPostgres, url: text}, nil
}
