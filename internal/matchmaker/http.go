package matchmaker

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/icos-jobmanager/jobmanager/internal/jobmanager"
)

const (
	// defaultTimeout is generous: the peer asks its token server and the aggregator before it answers.
	defaultTimeout = 20 * time.Second
	// maxAnswer is twice the largest request body: the peer echoes every component.
	maxAnswer = 8 << 20
)

// HTTPConfig says where the ICOS Matchmaker is.
type HTTPConfig struct {
	// BaseURL is absolute, http or https; /matchmake is added to it.
	BaseURL string
	// Timeout bounds one question from the connection to the last byte; 0 means 20 s.
	Timeout time.Duration
	// Client sends the requests; nil means one of its own. Its CheckRedirect is not used.
	Client *http.Client
}

// HTTP asks the ICOS Matchmaker. It is safe for concurrent use.
type HTTP struct {
	endpoint string
	timeout  time.Duration
	client   http.Client
}

var _ jobmanager.Matchmaker = (*HTTP)(nil)

// NewHTTP checks the configuration; nothing is sent yet. Errors: INVALID.
func NewHTTP(config HTTPConfig) (*HTTP, error) {
	base, err := url.Parse(config.BaseURL)
	if err != nil || base.Host == "" || (base.Scheme != "http" && base.Scheme != "https") {
		// The cause is left out: it shows the whole address, with a password that may be in it.
		return nil, jobmanager.Errorf(jobmanager.CodeInvalid,
			"MATCHMAKING_URL must be an absolute address such as http://matchmaker:8000")
	}
	if base.RawQuery != "" || base.Fragment != "" {
		return nil, jobmanager.Errorf(jobmanager.CodeInvalid,
			"MATCHMAKING_URL must have no query and no fragment: /matchmake is added to its path")
	}
	h := &HTTP{endpoint: base.JoinPath("matchmake").String(), timeout: config.Timeout}
	if h.timeout <= 0 {
		h.timeout = defaultTimeout
	}
	if config.Client != nil {
		h.client = *config.Client
	} else {
		h.client.Transport = &http.Transport{
			Proxy:               http.ProxyFromEnvironment,
			MaxIdleConnsPerHost: 4,
			IdleConnTimeout:     time.Minute,
		}
	}
	// A redirect would carry the user's token to an address that nobody configured.
	h.client.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	return h, nil
}

// Close ends the idle connections. Questions that are under way go on.
func (h *HTTP) Close() { h.client.CloseIdleConnections() }

// Match asks once for all components that are not pinned; when all are, nobody is asked. See
// jobmanager.Matchmaker for the contract. INVALID means that the peer refused what was sent (400 or 422).
func (h *HTTP) Match(
	ctx context.Context, descriptor jobmanager.Descriptor, text string, token jobmanager.Token,
) ([]jobmanager.Match, error) {
	var answer []answered
	if !allPinned(descriptor.Components) {
		status, body, err := h.ask(ctx, text, token)
		if err != nil {
			return nil, err
		}
		if err := refusal(status, body, token); err != nil {
			return nil, err
		}
		if answer, err = decodeAnswer(body, token); err != nil {
			return nil, err
		}
	}
	return join(descriptor.Components, answer)
}

func allPinned(components []jobmanager.Component) bool {
	for _, component := range components {
		if len(component.Pins) == 0 {
			return false
		}
	}
	return true
}

// ask sends the descriptor and reads the whole answer, whatever its status.
func (h *HTTP) ask(ctx context.Context, text string, token jobmanager.Token) (int, []byte, error) {
	limited, cancel := context.WithTimeout(ctx, h.timeout)
	defer cancel()
	request, err := http.NewRequestWithContext(limited, http.MethodPost, h.endpoint, strings.NewReader(text))
	if err != nil {
		return 0, nil, jobmanager.Wrap(jobmanager.CodeInternal, err, "the question to the Matchmaker cannot be made")
	}
	request.Header.Set("Content-Type", "application/x-yaml")
	request.Header.Set("Accept", "application/json")
	if !token.Empty() {
		request.Header.Set("Authorization", "Bearer "+token.Reveal())
	}
	response, err := h.client.Do(request)
	if err != nil {
		return 0, nil, h.unanswered(ctx, err)
	}
	defer func() { _ = response.Body.Close() }() // everything that matters was read
	body, err := io.ReadAll(io.LimitReader(response.Body, maxAnswer+1))
	if err != nil {
		return 0, nil, h.unanswered(ctx, err)
	}
	if len(body) > maxAnswer {
		return 0, nil, unavailable("the Matchmaker's answer is longer than %d MiB: look whether MATCHMAKING_URL names a Matchmaker",
			maxAnswer>>20)
	}
	return response.StatusCode, body, nil
}

// unanswered tells who ran out of patience, or that nobody is there; ctx is the caller's.
func (h *HTTP) unanswered(ctx context.Context, cause error) error {
	sentence := "the Matchmaker cannot be reached: check that it runs and that MATCHMAKING_URL is right"
	switch {
	case ctx.Err() != nil:
		sentence = "the request ended before the Matchmaker answered: try again with more time"
	case errors.Is(cause, context.DeadlineExceeded):
		sentence = "the Matchmaker did not answer within " + h.timeout.String() + ": try again later"
	}
	return jobmanager.Wrap(jobmanager.CodeUnavailable, cause, sentence)
}

func unavailable(format string, args ...any) error {
	return jobmanager.Errorf(jobmanager.CodeUnavailable, format, args...)
}
