package app

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"strconv"
	"time"

	"github.com/icos-jobmanager/jobmanager/internal/auth"
	"github.com/icos-jobmanager/jobmanager/internal/config"
)

// Logger makes the log that the configuration asks for, on standard error.
func Logger(c config.Log) *slog.Logger {
	var level slog.Level
	if err := level.UnmarshalText([]byte(c.Level)); err != nil {
		level = slog.LevelInfo // cannot be: the configuration knows the levels
	}
	options := &slog.HandlerOptions{Level: level}
	if c.Format == "json" {
		return slog.New(slog.NewJSONHandler(os.Stderr, options))
	}
	return slog.New(slog.NewTextHandler(os.Stderr, options))
}

// Serve runs the server until ctx ends.
func Serve(ctx context.Context, c config.Config, version string) error {
	logger := Logger(c.Log)
	server, err := New(ctx, c, Options{Version: version, Logger: logger})
	if err != nil {
		return err
	}
	switch server.mode() {
	case auth.Open:
		logger.WarnContext(ctx, "INSECURE_NO_AUTH: every caller on the network is admin")
	case auth.Closed:
		logger.WarnContext(ctx, "every call is answered 401, because nothing says who may call",
			"set", "KEYCLOAK_PUBLIC_KEY, or LISTEN_HOST=127.0.0.1, or --insecure-no-auth on a closed network")
	case auth.Loopback, auth.RealmKey: // the gate has its own warning
	}
	return server.Run(ctx)
}

// Health asks the server on this machine whether it is well; nil when it is.
func Health(ctx context.Context, c config.Config) error {
	host := c.Host
	if ip := net.ParseIP(host); ip != nil && ip.IsUnspecified() {
		host = "127.0.0.1"
	}
	ctx, cancel := context.WithTimeout(ctx, 4*time.Second)
	defer cancel()
	url := "http://" + net.JoinHostPort(host, strconv.Itoa(c.Port)) + "/readyz"
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return fmt.Errorf("ask %s: %w", url, err)
	}
	answer, err := http.DefaultClient.Do(request)
	if err != nil {
		return fmt.Errorf("no answer from the server: %w", err)
	}
	defer func() { _ = answer.Body.Close() }() // only the status is read
	if answer.StatusCode != http.StatusOK {
		return fmt.Errorf("the server is not well: %s answered %s", url, answer.Status)
	}
	return nil
}
