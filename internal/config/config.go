// Package config reads flags and environment into one checked struct. It knows no other package and opens nothing
// but the files that secrets lie in; package app builds the server from what stands here.
//
// Start with Config; each field says in its help text what it does.
package config

import (
	"errors"
	"fmt"
	"io"
	"math"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/alecthomas/kong"
)

// Command is what the binary is asked to do.
type Command string

// The commands.
const (
	Serve   Command = "serve"
	Demo    Command = "demo"
	Migrate Command = "migrate"
	Health  Command = "health"
	Version Command = "version"
)

// Config is everything that can be set. Flags win over the environment, the environment over defaults.
type Config struct {
	Command Command `kong:"-"`
	Server
	Database
	Matchmaking
	Policies
	Life
	Log
	Demonstration
	Migration
}

// Server is where and how the server listens.
type Server struct {
	Port            int           `name:"server-port" env:"SERVER_PORT" default:"8082" help:"TCP port to serve on; 0 takes a free one."`
	Host            string        `name:"listen-host" env:"LISTEN_HOST" default:"127.0.0.1" help:"Address to serve on. Without KEYCLOAK_PUBLIC_KEY only loopback is served; on any other address every call is answered 401."`
	InsecureNoAuth  bool          `name:"insecure-no-auth" env:"INSECURE_NO_AUTH" help:"Serve every caller as admin on any address, without authentication. For closed test networks only."`
	AllowedOrigins  []string      `name:"allowed-origins" env:"ALLOWED_ORIGINS" help:"Origins of web pages that may open websockets besides the server's own, such as https://dashboard.example; separated by commas."`
	BodyLimit       int64         `name:"body-limit" env:"BODY_LIMIT" default:"4194304" help:"Longest request body or websocket message, in bytes."`
	DescriptorLimit int           `name:"descriptor-limit" env:"DESCRIPTOR_LIMIT" default:"1048576" help:"Longest application descriptor, in bytes."`
	ShutdownTimeout time.Duration `name:"shutdown-timeout" env:"SHUTDOWN_TIMEOUT" default:"20s" help:"How long a stop may take to finish what runs."`

	// KeycloakPublicKey is what KeycloakPublicKeyFile holds when that is set; package auth knows its form.
	KeycloakPublicKey     string `name:"keycloak-public-key" env:"KEYCLOAK_PUBLIC_KEY" help:"Public key of the Keycloak realm, base64 as Keycloak shows it: every call needs a token that the realm signed, and each such token may do everything but administer. This is the old service's setting, for its fleet."`
	KeycloakPublicKeyFile string `name:"keycloak-public-key-file" env:"KEYCLOAK_PUBLIC_KEY_FILE" help:"File with the public key, instead of KEYCLOAK_PUBLIC_KEY; it is read at the start."`
	OIDCIssuerURL         string `name:"oidc-issuer-url" env:"OIDC_ISSUER_URL" help:"Issuer of the tokens. This version does not check issuer, audience and roles yet and refuses to start with it."`

	RefusedPromote string `name:"rest-refused-promote" env:"REST_REFUSED_PROMOTE" default:"400" enum:"400,close" help:"What an agent gets over REST whose promote is refused: status 400, or a closed connection, the only answer that keeps an OCM agent from executing. One of: ${enum}."`
}

// Database is where everything is kept.
type Database struct {
	// URL is what URLFile holds when that is set.
	URL      string `name:"database-url" env:"DATABASE_URL" help:"sqlite:///path/to/file.db or postgres://user:password@host:5432/name. Default: jobmanager.db under the data directory."`
	URLFile  string `name:"database-url-file" env:"DATABASE_URL_FILE" help:"File with the database URL, instead of DATABASE_URL: it holds a password. It is read at the start."`
	DataDir  string `name:"data-dir" env:"DATA_DIR" default:"data" help:"Directory of the SQLite file when no database URL is set; it is made when it is not there."`
	MaxConns int    `name:"database-max-conns" env:"DATABASE_MAX_CONNS" default:"10" help:"Most connections to PostgreSQL."`
}

// Matchmaking is who names the targets.
type Matchmaking struct {
	URL         string        `name:"matchmaking-url" env:"MATCHMAKING_URL" help:"Base URL of the ICOS Matchmaker. Default: none, the inventory file is used."`
	Timeout     time.Duration `name:"matchmaking-timeout" env:"MATCHMAKING_TIMEOUT" default:"20s" help:"How long the Matchmaker may take to answer."`
	TargetsFile string        `name:"targets-file" env:"TARGETS_FILE" help:"Inventory of clusters and nodes, used without a Matchmaker. Default: a built-in sample."`
}

// Policies is who watches policies, and how it is told of applications.
type Policies struct {
	PolicyManagerURL     string        `name:"policymanager-url" env:"POLICYMANAGER_URL" help:"Base URL of the ICOS Policy Manager. Default: none, nobody is told of applications."`
	PolicyManagerTimeout time.Duration `name:"policymanager-timeout" env:"POLICYMANAGER_TIMEOUT" default:"10s" help:"How long the Policy Manager may take to answer."`
	ServiceTokenFile     string        `name:"service-token-file" env:"SERVICE_TOKEN_FILE" help:"File with the server's own bearer token, for what it asks of the Matchmaker and the Policy Manager by itself; it is read anew for each use. Default: none."`
}

// Life is the numbers of a job's life.
type Life struct {
	MaxAttempts    int                 `name:"max-attempts" env:"MAX_ATTEMPTS" default:"5" help:"Attempts at one piece of work before someone must retry it."`
	Lease          time.Duration       `name:"lease" env:"LEASE" default:"300s" help:"How long a claim holds that names no length; between 15s and 15m."`
	Backoff        time.Duration       `name:"backoff" env:"BACKOFF" default:"5s" help:"Wait after the first failed attempt; it doubles with each one, up to 5m or to this where it is longer."`
	CoolDown       time.Duration       `name:"cool-down" env:"COOL_DOWN" default:"1m" help:"How long the same remediation of a job is not taken on again."`
	AgentGrace     time.Duration       `name:"agent-grace" env:"AGENT_GRACE" default:"300s" help:"How long an agent may be silent before what it reported counts as unknown, and its clusters are offered to others; at least 30s."`
	ComponentTypes map[string][]string `name:"component-types" env:"COMPONENT_TYPES" mapsep:";" sep:"," help:"Which component types an orchestrator runs, such as ocm=kubernetes,manifest;nuvla=docker. One that is not named runs all; default: what ocm and nuvla are known to run."`
}

// Log is how the server logs.
type Log struct {
	Level  string `name:"log-level" env:"LOG_LEVEL" default:"info" enum:"debug,info,warn,error" help:"Least level that is logged: ${enum}."`
	Format string `name:"log-format" env:"LOG_FORMAT" default:"text" enum:"text,json" help:"Form of the log on standard error: ${enum}."`
}

// Demonstration is for the demo command.
type Demonstration struct {
	Latency     time.Duration `name:"demo-latency" env:"DEMO_LATENCY" default:"900ms" help:"How long the demo's agents take for each job, about."`
	FailureRate float64       `name:"demo-failure-rate" env:"DEMO_FAILURE_RATE" default:"0" help:"How often the demo's agents fail, from 0 to 1."`
	Once        bool          `name:"demo-once" env:"DEMO_ONCE" help:"End the demo once its application runs, instead of keeping the server up."`
}

// Migration is for the migrate command.
type Migration struct {
	Down           bool `name:"down" help:"Take back the newest group of migrations instead of applying the missing ones. Data of what is taken back is lost."`
	NewIncarnation bool `name:"new-incarnation" help:"Give a restored SQLite database a new identity, so that cursors of its former life expire."`
}

// commandLine is the shape that kong parses: every command takes every flag, for they share the environment.
type commandLine struct {
	Config
	ServeCommand   struct{} `cmd:"" name:"serve" default:"1" help:"Serve the API (the default)."`
	DemoCommand    struct{} `cmd:"" name:"demo" help:"Serve on loopback with a simulated world: an application is submitted and run by simulated agents."`
	MigrateCommand struct{} `cmd:"" name:"migrate" help:"Bring the database's schema up to date and end. serve does the same at its start."`
	HealthCommand  struct{} `cmd:"" name:"health" help:"Ask the server on this machine whether it is well; the exit code is the answer."`
	VersionCommand struct{} `cmd:"" name:"version" help:"Print the version."`
}

// Load reads the arguments (without the program's name) and the environment. done is true when the help text
// was asked for and printed to out. The error is a sentence that says what to change.
func Load(args []string, out io.Writer) (config Config, done bool, err error) {
	line := &commandLine{}
	helped := false
	parser, err := kong.New(line, kong.Name("jobmanager"), kong.Writers(out, out),
		kong.Description("The Job Manager of the ICOS Controller: keeps the truth about the applications that run over a cloud-edge continuum."),
		kong.Exit(func(int) { helped = true }), kong.ConfigureHelp(kong.HelpOptions{Compact: true, FlagsLast: true}))
	if err != nil {
		return Config{}, false, fmt.Errorf("the command line cannot be built: %w", err)
	}
	parsed, err := parser.Parse(args)
	if helped {
		return Config{}, true, nil // kong goes on after printing: what it makes of the rest does not matter
	}
	if err != nil {
		return Config{}, false, fmt.Errorf("%w; see --help", err)
	}
	config = line.Config
	config.Command = Command(parsed.Command())
	return config, false, errors.Join(config.readSecrets(), config.check())
}

// readSecrets takes settings out of the files that hold them.
func (c *Config) readSecrets() error {
	return errors.Join(
		readSecret(&c.KeycloakPublicKey, "KEYCLOAK_PUBLIC_KEY", c.KeycloakPublicKeyFile),
		readSecret(&c.Database.URL, "DATABASE_URL", c.URLFile),
	)
}

// readSecret reads one. The error never shows what the file holds.
func readSecret(setting *string, name, file string) error {
	if file == "" {
		return nil
	}
	if *setting != "" {
		return fmt.Errorf("%s and %[1]s_FILE do not go together: set one of them", name)
	}
	text, err := os.ReadFile(file) //nolint:gosec // the operator names it
	if err != nil {
		return fmt.Errorf("%s_FILE must name a file that can be read: %w", name, err)
	}
	*setting = strings.TrimSpace(string(text))
	if *setting == "" {
		return fmt.Errorf("the file that %s_FILE names is empty", name)
	}
	return nil
}

// check refuses what cannot work, every finding at once.
func (c Config) check() error {
	var wrong []string
	refuse := func(bad bool, format string, args ...any) {
		if bad {
			wrong = append(wrong, fmt.Sprintf(format, args...))
		}
	}
	refuse(c.Port < 0 || c.Port > 65535, "SERVER_PORT must be between 0 and 65535, not %d", c.Port)
	refuse(c.BodyLimit < 1024, "BODY_LIMIT must be at least 1024 bytes, not %d", c.BodyLimit)
	refuse(c.DescriptorLimit < 1024, "DESCRIPTOR_LIMIT must be at least 1024 bytes, not %d", c.DescriptorLimit)
	refuse(int64(c.DescriptorLimit) > c.BodyLimit, "DESCRIPTOR_LIMIT (%d) must not exceed BODY_LIMIT (%d): such a descriptor could never arrive", c.DescriptorLimit, c.BodyLimit)
	refuse(c.ShutdownTimeout <= 0, "SHUTDOWN_TIMEOUT must be longer than 0")
	refuse(c.MaxConns < 2 || c.MaxConns > 1000, "DATABASE_MAX_CONNS must be between 2 and 1000, not %d", c.MaxConns)
	refuse(c.Timeout <= 0, "MATCHMAKING_TIMEOUT must be longer than 0")
	refuse(c.Matchmaking.URL != "" && !isURL(c.Matchmaking.URL, "http", "https"), "MATCHMAKING_URL must be an http or https URL such as http://matchmaker:8000")
	refuse(c.Database.URL != "" && !isURL(c.Database.URL, "sqlite", "postgres", "postgresql"), "DATABASE_URL must begin with sqlite:// or postgres://")
	refuse(c.MaxAttempts < 1, "MAX_ATTEMPTS must be at least 1, not %d", c.MaxAttempts)
	refuse(c.Lease < 15*time.Second || c.Lease > 15*time.Minute, "LEASE must be between 15s and 15m, not %s", c.Lease)
	refuse(c.Backoff <= 0, "BACKOFF must be longer than 0")
	refuse(c.CoolDown < 0, "COOL_DOWN must not be negative")
	refuse(c.AgentGrace < 30*time.Second, "AGENT_GRACE must be at least 30s, not %s: agents are noted every 10s", c.AgentGrace)
	refuse(c.PolicyManagerURL != "" && !isURL(c.PolicyManagerURL, "http", "https"), "POLICYMANAGER_URL must be an http or https URL such as http://policy-manager:8000")
	refuse(c.PolicyManagerTimeout <= 0, "POLICYMANAGER_TIMEOUT must be longer than 0")
	refuse(c.Latency < 0, "DEMO_LATENCY must not be negative")
	refuse(c.FailureRate < 0 || c.FailureRate > 1 || math.IsNaN(c.FailureRate), "DEMO_FAILURE_RATE must be between 0 and 1, not %g", c.FailureRate)
	refuse(c.Down && c.NewIncarnation, "--down and --new-incarnation do not go together: call migrate with one of them")
	refuse(c.OIDCIssuerURL != "", "OIDC_ISSUER_URL is not served by this version: it cannot check issuer, audience and roles of tokens yet. Unset it; KEYCLOAK_PUBLIC_KEY checks signature and expiry, and gives every client of the realm the same rights")
	refuse(c.KeycloakPublicKey != "" && c.InsecureNoAuth, "KEYCLOAK_PUBLIC_KEY and --insecure-no-auth (INSECURE_NO_AUTH) contradict each other: unset one of them")
	refuse(c.Command == Demo && (c.KeycloakPublicKey != "" || c.URLFile != ""), "demo has a database and callers of its own: unset KEYCLOAK_PUBLIC_KEY, KEYCLOAK_PUBLIC_KEY_FILE and DATABASE_URL_FILE for it")
	if len(wrong) > 0 {
		return fmt.Errorf("%s", strings.Join(wrong, "\n"))
	}
	return nil
}

func isURL(text string, schemes ...string) bool {
	parsed, err := url.Parse(text)
	if err != nil {
		return false
	}
	for _, scheme := range schemes {
		if parsed.Scheme == scheme {
			return true
		}
	}
	return false
}

// StoreURL is the database's URL: the given one, else an SQLite file under the data directory.
func (d Database) StoreURL() string {
	if d.URL != "" {
		return d.URL
	}
	return "sqlite://" + filepath.Join(d.DataDir, "jobmanager.db")
}

// OldDatabase says whether the environment still names the old service's MySQL database.
func (d Database) OldDatabase() bool {
	if d.URL != "" {
		return false
	}
	for _, name := range []string{"DB_DRIVER", "DB_HOST", "DB_NAME", "DB_USER"} {
		if os.Getenv(name) != "" {
			return true
		}
	}
	return false
}
