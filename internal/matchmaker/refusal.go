package matchmaker

import (
	"encoding/json"
	"fmt"
	"net/http"
	"regexp"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/icos-jobmanager/jobmanager/internal/jobmanager"
)

const (
	// maxMessage is how much of a peer's own words a sentence shows, in characters.
	maxMessage = 200
	// maxExplained is the longest body, in bytes, that is searched for such words.
	maxExplained = 64 << 10
)

// refusal says what a status other than 2xx means; nil for 2xx.
func refusal(status int, body []byte, token jobmanager.Token) error {
	if status >= 200 && status < 300 {
		return nil
	}
	said := ""
	if message := peerMessage(body, token); message != "" {
		said = " (it says: " + message + ")"
	}
	switch {
	case status == http.StatusUnauthorized || status == http.StatusForbidden:
		if token.Empty() {
			return jobmanager.Errorf(jobmanager.CodeUnauthenticated,
				"the Matchmaker wants a token and none was sent: log in and send it as Authorization: Bearer%s", said)
		}
		return jobmanager.Errorf(jobmanager.CodeUnauthenticated, "the Matchmaker refused the token: log in again%s", said)
	case status >= 300 && status < 400:
		return unavailable("the Matchmaker redirects (status %d), which is not followed: let MATCHMAKING_URL name the final address",
			status)
	case status == http.StatusBadRequest || status == http.StatusUnprocessableEntity:
		// The peer is up and does not want this descriptor: asking again later would not help.
		return jobmanager.Errorf(jobmanager.CodeInvalid,
			"the Matchmaker refused the descriptor with status %d%s: correct what it names", status, said)
	case status == http.StatusInternalServerError:
		// The ICOS Matchmaker 1.0.1 breaks on other units and on a quoted cpu, with this status and no reason.
		return unavailable("the Matchmaker failed with status 500%s: "+
			"try again with every memory in Mi or Gi and every cpu a number without quotes, else look into its log", said)
	default:
		return unavailable("the Matchmaker failed with status %d%s: try again later or look into its log", status, said)
	}
}

// peerMessage is the short text in which a peer explains itself, cleaned and cut, without tokens; "" when
// there is none.
func peerMessage(body []byte, token jobmanager.Token) string {
	if len(body) > maxExplained {
		return ""
	}
	var parsed any
	text := ""
	switch err := json.Unmarshal(body, &parsed); {
	case err == nil:
		text = explanation(parsed)
	case utf8.Valid(body) && !strings.HasPrefix(strings.TrimSpace(string(body)), "<"): // a page of a proxy explains nothing
		text = string(body)
	}
	if !token.Empty() {
		text = strings.ReplaceAll(text, token.Reveal(), "…")
	}
	return shorten(text)
}

// explanation finds the words in the error shapes of the ICOS peers: a string, {"detail": …}, {"error": …},
// {"message": …}, and FastAPI's list of {"loc": […], "msg": …}.
func explanation(value any) string {
	switch value := value.(type) {
	case string:
		return value
	case []any:
		var texts []string
		for _, element := range value[:min(len(value), 3)] {
			if text := explanation(element); text != "" {
				texts = append(texts, text)
			}
		}
		return strings.Join(texts, "; ")
	case map[string]any:
		for _, key := range []string{"detail", "error", "message", "msg"} {
			text := explanation(value[key])
			if text == "" {
				continue
			}
			if place, located := value["loc"].([]any); located {
				return text + " at " + strings.Trim(strings.ReplaceAll(fmt.Sprint(place), " ", "."), "[]")
			}
			return text
		}
	}
	return ""
}

// secrets are what must never stand in a sentence, whoever wrote it.
var secrets = regexp.MustCompile(`(?i:bearer)\s+\S+|eyJ[\w-]+(\.[\w-]*)*`)

// shorten makes another's text fit to stand in a sentence: no secrets, one line, at most maxMessage characters.
func shorten(text string) string {
	text = secrets.ReplaceAllString(text, "…")
	text = strings.Map(func(r rune) rune {
		if unicode.IsPrint(r) {
			return r
		}
		return ' '
	}, strings.ToValidUTF8(text, " "))
	runes := []rune(strings.Join(strings.Fields(text), " "))
	if len(runes) > maxMessage {
		return string(runes[:maxMessage]) + "…"
	}
	return string(runes)
}
