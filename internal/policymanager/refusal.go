package policymanager

import (
	"encoding/json"
	"fmt"
	"net/http"
	"regexp"
	"strings"
	"unicode"

	"github.com/icos-jobmanager/jobmanager/internal/jobmanager"
)

const (
	// maxWords is how much of the peer's own words a sentence shows, in characters.
	maxWords = 200
	// maxFaults is how many faults of a descriptor a sentence shows.
	maxFaults = 3
)

// answer is what came back from the peer, or from a proxy before it.
type answer struct {
	status int
	body   []byte
	// token that was sent, so that it can be kept out of the words.
	token jobmanager.Token
}

// judge says what an answer to a notice means; nil when the peer knows now what it was told.
func judge(kind jobmanager.NoticeKind, a answer) error {
	if a.status >= 200 && a.status < 300 {
		return nil
	}
	words, own := a.words(kind)
	said := ""
	if words != "" {
		said = " (it says: " + words + ")"
	}
	switch {
	case a.status == http.StatusUnauthorized || a.status == http.StatusForbidden:
		return a.unauthenticated(said)
	case a.status < 400 || a.status == http.StatusMethodNotAllowed || (a.status == http.StatusNotFound && !own):
		return a.elsewhere()
	case a.status == http.StatusNotFound && kind == jobmanager.NoticeDeleted:
		return nil // what it never knew is gone
	case a.status >= 500 || a.status == http.StatusRequestTimeout || a.status == http.StatusTooManyRequests:
		return a.failed(kind, said)
	}
	return jobmanager.Errorf(jobmanager.CodeInvalid, "the Policy Manager refused %s with status %d%s: %s",
		subject(kind), a.status, said, advice(kind, a.status, words))
}

// elsewhere is for an address where nothing takes events: a wrong one, or a proxy whose peer is away. Both can be
// mended, so that a deletion must not count as done, nor anything else as refused.
func (a answer) elsewhere() error {
	if a.status < 400 {
		return unavailable("the Policy Manager redirects (status %d), which is not followed: let POLICYMANAGER_URL name the final address",
			a.status)
	}
	return unavailable("nothing takes events where the Policy Manager should be (status %d): "+
		"check that it runs and that POLICYMANAGER_URL is right", a.status)
}

func (a answer) failed(kind jobmanager.NoticeKind, said string) error {
	remedy := "look into its log"
	switch {
	case a.status < 500:
		remedy = "look whether it is overloaded"
	case kind == jobmanager.NoticeCreated:
		// Version 0.3.1 breaks with status 500 where it finds no name and components, or an unknown template.
		remedy = "look into its log, a descriptor that it cannot read may be the cause"
	}
	return unavailable("the Policy Manager failed with status %d%s: %s", a.status, said, remedy)
}

func unavailable(format string, args ...any) error {
	return jobmanager.Errorf(jobmanager.CodeUnavailable, format, args...)
}

func (a answer) unauthenticated(said string) error {
	sentence := "the Policy Manager refused the Job Manager's own token: check the client that it is issued to"
	switch {
	case a.token.Empty():
		sentence = "the Policy Manager wants a token and the Job Manager has none of its own: give it a client"
	case a.status == http.StatusForbidden:
		sentence = "the Policy Manager does not let the Job Manager tell of applications: give its client the permission icos-app:write"
	}
	return jobmanager.Errorf(jobmanager.CodeUnauthenticated, "%s%s", sentence, said)
}

// subject is what a notice of this kind brings to be refused.
func subject(kind jobmanager.NoticeKind) string {
	if kind == jobmanager.NoticeCreated {
		return "the descriptor"
	}
	return fmt.Sprintf("the event %q", kind)
}

// advice says what to do about a refusal that no later try can change.
func advice(kind jobmanager.NoticeKind, status int, words string) string {
	switch {
	case kind == jobmanager.NoticeCreated && strings.Contains(words, "description"):
		return "its policies are not watched; add a description, a text beside the name, to the descriptor and update the group"
	case kind == jobmanager.NoticeCreated && status == http.StatusConflict:
		return "stop and start the group to have it forgotten there and told anew"
	case kind == jobmanager.NoticeCreated:
		return "its policies are not watched; correct what it names and update the group: " +
			"it wants a name, a description and components, each with name and type, in one document"
	case status == http.StatusNotFound:
		return "it does not know the group; stop and start the group to tell it anew"
	}
	return "look into its log"
}

// fault is one thing that the peer finds wrong with a body, and where.
type fault struct {
	Loc []any  `json:"loc"`
	Msg string `json:"msg"`
}

// words is the short text in which the peer explains itself; "" when it does not. Own says that it is the peer who
// speaks about the notice, not a proxy or a router that knows no such path.
func (a answer) words(kind jobmanager.NoticeKind) (text string, own bool) {
	var shape struct{ Detail, Error, Message json.RawMessage }
	if err := json.Unmarshal(a.body, &shape); err != nil {
		trimmed := strings.TrimSpace(string(a.body))
		if trimmed == "" || strings.ContainsRune("<{[", rune(trimmed[0])) { // a proxy's page, or half an answer
			return "", false
		}
		return a.presentable(trimmed), false
	}
	for _, part := range []json.RawMessage{shape.Detail, shape.Error, shape.Message} {
		var faults []fault
		if err := json.Unmarshal(part, &text); err != nil && json.Unmarshal(part, &faults) == nil {
			text = tell(faults, kind)
		}
		if text = a.presentable(text); text != "" {
			return text, text != http.StatusText(a.status)
		}
	}
	return "", false
}

// tell gives the first faults. The peer tries each kind of event in turn and tells what is wrong with every one,
// such as ICOSAppStartedEvent: only what it says about ours is of use.
func tell(faults []fault, kind jobmanager.NoticeKind) string {
	var ours, all []string
	for _, f := range faults {
		where := make([]string, len(f.Loc))
		for i, step := range f.Loc {
			where[i] = fmt.Sprint(step)
		}
		place := strings.Join(where, ".")
		text := strings.TrimPrefix(place+": "+f.Msg, ": ")
		all = append(all, text)
		if strings.Contains(strings.ToLower(place), string(kind)) {
			ours = append(ours, text)
		}
	}
	if len(ours) == 0 {
		ours = all
	}
	return strings.Join(ours[:min(len(ours), maxFaults)], "; ")
}

// credentials are what must never stand in a sentence, whoever wrote it: what follows Bearer, and tokens by
// their looks.
var credentials = regexp.MustCompile(`(?i:bearer)\s+\S+|eyJ[\w-]+(\.[\w-]*)*`)

// presentable makes another's text fit to stand in a sentence: no credentials, one line, at most maxWords
// characters.
func (a answer) presentable(text string) string {
	if !a.token.Empty() {
		text = strings.ReplaceAll(text, a.token.Reveal(), "…")
	}
	text = credentials.ReplaceAllString(strings.ToValidUTF8(text, " "), "…")
	line := []rune(strings.Join(strings.FieldsFunc(text, func(r rune) bool {
		return unicode.IsSpace(r) || !unicode.IsPrint(r)
	}), " "))
	if len(line) > maxWords {
		return string(line[:maxWords]) + "…"
	}
	return string(line)
}
