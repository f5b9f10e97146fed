package testkit

import (
	"bufio"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"net/url"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
)

// PostgresOptions says what kind of server StartPostgres starts.
type PostgresOptions struct {
	// Durable keeps fsync and its companions on, for tests that kill the server. Without it a commit is fast
	// and a crash of the machine loses the data, which is all the same to other tests.
	Durable bool
}

// Postgres is a running private server. It listens on a socket in its own temporary directory only, which no
// other unprivileged user may enter.
type Postgres struct {
	// URL is the server's address for pgx and libpq, of a superuser in the database postgres.
	URL string
	// Binaries is the folder that the server's programs were found in.
	Binaries string

	dir   string
	life  io.Closer // the supervisor's standard input: its end ends the server
	shell *exec.Cmd
}

// supervise owns the server's whole life, so that no server outlives the process that asked for it, however that
// one ends: a closed standard input, which is also what a kill leaves behind, stops the server and removes its
// directory. A broken pipe and the usual signals do the same.
const supervise = `
dir=$1 bin=$2 settings=$3
finish() {
	test ! -f "$dir/data/postmaster.pid" || "$bin/pg_ctl" -D "$dir/data" -m immediate -w stop >"$dir/stop" 2>&1
	cd / && rm -rf "$dir"
}
fail() { echo "$1:"; tail -n 20 "$dir/log"; exit 1; }
trap 'exit 1' HUP INT PIPE TERM
trap finish EXIT
"$bin/initdb" -D "$dir/data" -U postgres --auth=trust --locale=C.UTF-8 -E UTF8 --no-sync >"$dir/log" 2>&1 ||
	fail 'initdb failed'
printf '%s\n' "$settings" >>"$dir/data/postgresql.conf"
"$bin/pg_ctl" -D "$dir/data" -l "$dir/log" -w -t 60 start >"$dir/start" 2>&1 || fail 'the server did not start'
echo ready
read -r _
exit 0
`

// maxSocketPath is what a socket's address can hold on the systems that PostgreSQL's tests run on, less the
// name that the server gives to its socket.
const maxSocketPath = 103 - len("/.s.PGSQL.5432")

// StartPostgres starts a private server from the programs on this machine and returns when it answers, after
// one to two seconds. As root the server runs as the user postgres, or nobody where that does not exist. Call
// Stop in the end; when the calling process dies without it, the server stops and removes its files by itself.
func StartPostgres(options PostgresOptions) (*Postgres, error) {
	binaries, err := FindPostgres()
	if err != nil {
		return nil, err
	}
	owner, err := serverUser()
	if err != nil {
		return nil, err
	}
	dir, err := serverDirectory(owner)
	if err != nil {
		return nil, err
	}
	p := &Postgres{URL: socketURL(dir), Binaries: binaries, dir: dir}
	if err := p.launch(owner, serverSettings(dir, options)); err != nil {
		return nil, fmt.Errorf("start a private PostgreSQL from %s: %w", binaries, errors.Join(err, os.RemoveAll(dir)))
	}
	return p, nil
}

// Stop ends the server at once and removes its files. It returns an error when either did not succeed.
func (p *Postgres) Stop() error {
	err := p.life.Close()
	if waitErr := p.shell.Wait(); waitErr != nil {
		err = errors.Join(err, fmt.Errorf("stop the private PostgreSQL: %w", waitErr))
	}
	return errors.Join(err, os.RemoveAll(p.dir))
}

// launch runs the supervisor and returns when it has said that the server is ready.
func (p *Postgres) launch(owner *syscall.Credential, settings string) error {
	// Not bound to a context: that would leave a goroutine behind, which leak checks of tests would find.
	p.shell = exec.CommandContext(context.Background(), "/bin/sh", "-c", supervise, "sh", p.dir, p.Binaries, settings)
	p.shell.Dir = p.dir
	// Nothing of the caller's PG… variables reaches the server.
	p.shell.Env = []string{"PATH=" + os.Getenv("PATH"), "LC_ALL=C"}
	// A process group of its own: Control-C in the terminal is for the tests, the server goes after them.
	p.shell.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Credential: owner}
	life, err := p.shell.StdinPipe()
	if err != nil {
		return err
	}
	p.life = life
	answer, err := p.shell.StdoutPipe()
	if err != nil {
		return err
	}
	if err := p.shell.Start(); err != nil {
		return fmt.Errorf("%w (can the server's user enter %s? TMPDIR chooses another place)", err, p.dir)
	}
	said := bufio.NewReader(answer)
	if line, _ := said.ReadString('\n'); line != "ready\n" {
		rest, _ := io.ReadAll(said)
		return errors.Join(errors.New(strings.TrimSpace(line+string(rest))), p.shell.Wait())
	}
	return nil
}

// FindPostgres returns the folder with initdb, pg_ctl and postgres: that of the initdb in PATH, else the newest
// of the places where distributions put them. The error says what to do when there is none.
func FindPostgres() (string, error) {
	var candidates []string
	if initdb, err := exec.LookPath("initdb"); err == nil {
		if initdb, err = filepath.EvalSymlinks(initdb); err == nil {
			candidates = append(candidates, filepath.Dir(initdb))
		}
	}
	for _, pattern := range []string{
		"/usr/lib/postgresql/*/bin", "/usr/pgsql-*/bin", "/usr/local/pgsql/bin",
		"/opt/homebrew/opt/postgresql@*/bin", "/usr/local/opt/postgresql@*/bin",
	} {
		found, err := filepath.Glob(pattern)
		if err != nil {
			return "", fmt.Errorf("look for PostgreSQL: %w", err)
		}
		slices.SortFunc(found, func(a, b string) int { return cmp.Compare(majorVersion(b), majorVersion(a)) })
		candidates = append(candidates, found...)
	}
	for _, dir := range candidates {
		if hasPrograms(dir, "initdb", "pg_ctl", "postgres") {
			return dir, nil
		}
	}
	return "", errors.New("no PostgreSQL server on this machine (initdb, pg_ctl and postgres): run `make test`, " +
		"which gets one, or set TEST_POSTGRES_URL to a server of yours")
}

// majorVersion returns the number in a folder's name such as /usr/lib/postgresql/15/bin, or 0.
func majorVersion(dir string) int {
	name := filepath.Base(filepath.Dir(dir))
	n, err := strconv.Atoi(strings.TrimLeft(name, "abcdefghijklmnopqrstuvwxyz@-"))
	if err != nil {
		return 0
	}
	return n
}

func hasPrograms(dir string, names ...string) bool {
	for _, name := range names {
		if _, err := exec.LookPath(filepath.Join(dir, name)); err != nil {
			return false
		}
	}
	return true
}

// serverUser returns whom the server runs as: nil for the caller, who must not be root, because PostgreSQL
// refuses to run as root.
func serverUser() (*syscall.Credential, error) {
	if os.Geteuid() != 0 {
		return nil, nil //nolint:nilnil // nil is SysProcAttr's own word for "the caller"
	}
	account, err := user.Lookup("postgres")
	if err != nil {
		account, err = user.Lookup("nobody")
	}
	if err != nil {
		return nil, fmt.Errorf("root needs a user postgres or nobody to run PostgreSQL as: %w", err)
	}
	uid, err := strconv.ParseUint(account.Uid, 10, 32)
	if err != nil {
		return nil, fmt.Errorf("user id of %s: %w", account.Username, err)
	}
	gid, err := strconv.ParseUint(account.Gid, 10, 32)
	if err != nil {
		return nil, fmt.Errorf("group id of %s: %w", account.Username, err)
	}
	return &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}, nil
}

// serverDirectory makes the server's own directory. It is no t.TempDir, which another user could not enter.
func serverDirectory(owner *syscall.Credential) (string, error) {
	parent := os.TempDir()
	if len(parent)+len("/jobmanager-pg-1234567890") > maxSocketPath {
		parent = "/tmp"
	}
	dir, err := os.MkdirTemp(parent, "jobmanager-pg-")
	if err != nil {
		return "", fmt.Errorf("make a directory for a private PostgreSQL: %w", err)
	}
	if owner != nil {
		if err := os.Chown(dir, int(owner.Uid), int(owner.Gid)); err != nil {
			return "", errors.Join(fmt.Errorf("give %s to the server's user: %w", dir, err), os.Remove(dir))
		}
	}
	return dir, nil
}

func serverSettings(dir string, options PostgresOptions) string {
	settings := []string{
		"listen_addresses = ''",
		"unix_socket_directories = '" + strings.ReplaceAll(dir, "'", "''") + "'",
		"port = 5432",
		"max_connections = 300",
	}
	if !options.Durable {
		settings = append(settings, "fsync = off", "synchronous_commit = off", "full_page_writes = off")
	}
	return strings.Join(settings, "\n")
}

func socketURL(dir string) string {
	query := url.Values{"host": {dir}, "port": {"5432"}, "sslmode": {"disable"}}
	return (&url.URL{Scheme: "postgres", User: url.User("postgres"), Path: "/postgres", RawQuery: query.Encode()}).String()
}
