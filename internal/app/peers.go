package app

import (
	"fmt"
	"os"
	"strings"

	"github.com/icos-jobmanager/jobmanager/internal/auth"
	"github.com/icos-jobmanager/jobmanager/internal/jobmanager"
	"github.com/icos-jobmanager/jobmanager/internal/matchmaker"
	"github.com/icos-jobmanager/jobmanager/internal/policymanager"
)

// matchmaker is the ICOS Matchmaker when one is configured, else the static inventory.
func (a *App) matchmaker() (jobmanager.Matchmaker, error) {
	c := a.config.Matchmaking
	switch {
	case c.URL != "":
		peer, err := matchmaker.NewHTTP(matchmaker.HTTPConfig{BaseURL: c.URL, Timeout: c.Timeout})
		if err != nil {
			return nil, err
		}
		a.onClose(peer.Close)
		return peer, nil
	case c.TargetsFile != "":
		return matchmaker.LoadStatic(c.TargetsFile)
	}
	a.logger.Info("no Matchmaker is configured: targets come from the built-in sample inventory", "set", "MATCHMAKING_URL or TARGETS_FILE")
	return matchmaker.SampleInventory()
}

// policyManager is the ICOS Policy Manager when one is configured, else nil.
func (a *App) policyManager() (jobmanager.PolicyManager, error) {
	if a.config.PolicyManagerURL == "" {
		return nil, nil //nolint:nilnil // nobody is told
	}
	peer, err := policymanager.New(policymanager.Config{BaseURL: a.config.PolicyManagerURL, Timeout: a.config.PolicyManagerTimeout})
	if err != nil {
		return nil, err
	}
	a.onClose(peer.Close)
	return peer, nil
}

func (a *App) noticeLimits() jobmanager.NoticeLimits {
	limits := jobmanager.DefaultNoticeLimits()
	limits.Timeout = a.config.PolicyManagerTimeout
	return limits
}

// token is the server's own, read anew each time: whoever renews it writes the file.
func (a *App) token() (jobmanager.Token, error) {
	file := a.config.ServiceTokenFile
	if file == "" {
		return jobmanager.Token{}, nil
	}
	text, err := os.ReadFile(file) //nolint:gosec // the operator names it
	if err != nil {
		return jobmanager.Token{}, fmt.Errorf("the server's own token cannot be read, SERVICE_TOKEN_FILE must name a file with it: %w", err)
	}
	return jobmanager.NewToken(strings.TrimSpace(string(text))), nil
}

// realmKey is what callers' tokens are verified with; nil when none is configured.
func (a *App) realmKey() (*auth.Key, error) {
	if a.config.KeycloakPublicKey == "" {
		return nil, nil //nolint:nilnil // then nobody needs a token
	}
	key, err := auth.ParseKey(a.config.KeycloakPublicKey)
	if err != nil {
		return nil, fmt.Errorf("KEYCLOAK_PUBLIC_KEY cannot be used: %w", err)
	}
	return key, nil
}

func (a *App) lifeCycle() jobmanager.LifeCycle {
	life := jobmanager.DefaultLifeCycle()
	life.MaxAttempts, life.Lease, life.Backoff = a.config.MaxAttempts, a.config.Lease, a.config.Backoff
	life.CoolDown, life.Grace = a.config.CoolDown, a.config.AgentGrace
	life.MaxBackoff = max(life.MaxBackoff, life.Backoff) // what was asked for is not cut in silence
	if len(a.config.ComponentTypes) > 0 {
		life.Fits = a.config.ComponentTypes
	}
	return life
}
