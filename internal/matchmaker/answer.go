package matchmaker

import (
	"bytes"
	"encoding/json"
	"strconv"
	"strings"
	"unicode"

	"github.com/icos-jobmanager/jobmanager/internal/jobmanager"
)

// maxName is the longest cluster, node or orchestrator name that is believed, in bytes: a DNS name has 253.
const maxName = 253

// answered is what the peer said about one component. Its targets are decoded only when they are needed.
type answered struct {
	name    string
	targets json.RawMessage
}

// decodeAnswer reads {"components": [{"name": …, "targets": …}]}. The peer echoes every key that the user
// wrote, so keys are matched exactly and all others are left alone.
func decodeAnswer(body []byte, token jobmanager.Token) ([]answered, error) {
	var whole map[string]json.RawMessage
	if err := json.Unmarshal(body, &whole); err != nil && !json.Valid(body) {
		return nil, jobmanager.Wrap(jobmanager.CodeUnavailable, err,
			"the Matchmaker's answer is not JSON: look whether MATCHMAKING_URL names a Matchmaker")
	}
	var components []json.RawMessage
	err := json.Unmarshal(whole["components"], &components)
	if err != nil || components == nil {
		if message := peerMessage(body, token); message != "" {
			return nil, unavailable("the Matchmaker answered without components (it says: %s): try again later", message)
		}
		return nil, jobmanager.Wrap(jobmanager.CodeUnavailable, err,
			"the Matchmaker's answer has no list of components: look into its log")
	}
	answer := make([]answered, len(components))
	for i, text := range components {
		var fields map[string]json.RawMessage
		_ = json.Unmarshal(text, &fields) // what is no object has no name either
		name, ok := scalar(fields["name"])
		if !ok || name == "" {
			return nil, unavailable("component %d of the Matchmaker's answer has no name: look into its log", i+1)
		}
		answer[i] = answered{name: name, targets: fields["targets"]}
	}
	return answer, nil
}

// join gives each component its part of the answer, by name. An answer without any component means that
// nothing fits; one that lacks a component, names one twice or names a stranger is refused, because nobody
// can tell what it means.
func join(components []jobmanager.Component, answer []answered) ([]jobmanager.Match, error) {
	known := make(map[string]bool, len(components))
	for _, component := range components {
		known[component.Name] = true
	}
	byName := make(map[string]answered, len(answer))
	for _, one := range answer {
		if _, twice := byName[one.name]; twice {
			return nil, unavailable("the Matchmaker's answer names component %s twice: look into its log", quote(one.name))
		}
		if !known[one.name] {
			return nil, unavailable("the Matchmaker's answer names component %s, which the descriptor does not have: look into its log",
				quote(one.name))
		}
		byName[one.name] = one
	}
	matches := make([]jobmanager.Match, len(components))
	for i, component := range components {
		if len(component.Pins) > 0 {
			matches[i] = pinned(component)
			continue
		}
		one, present := byName[component.Name]
		if !present && len(answer) > 0 {
			return nil, unavailable("the Matchmaker's answer lacks component %s: look into its log", quote(component.Name))
		}
		targets, err := decodeTargets(component.Name, one.targets)
		if err != nil {
			return nil, err
		}
		matches[i] = jobmanager.Match{Component: component.Name, Targets: targets}
		if len(targets) == 0 {
			matches[i].Reason = "the Matchmaker found no node that meets the requirements"
		}
	}
	return matches, nil
}

// decodeTargets reads an object, a list of objects, or nothing: [], null and an absent key.
func decodeTargets(component string, text json.RawMessage) ([]jobmanager.Target, error) {
	text = bytes.TrimSpace(text)
	if len(text) == 0 || string(text) == "null" {
		return nil, nil
	}
	var list []json.RawMessage
	if text[0] != '[' {
		list = append(list, text)
	} else if err := json.Unmarshal(text, &list); err != nil {
		return nil, unavailable("the Matchmaker's targets of component %s are not a list: look into its log", quote(component))
	}
	var targets []jobmanager.Target
	for _, element := range list[:min(len(list), maxTargets)] {
		target, fault := decodeTarget(element)
		if fault != "" {
			return nil, unavailable("the Matchmaker's target for component %s %s: look into its log and the aggregator's",
				quote(component), fault)
		}
		targets = append(targets, target)
	}
	return targets, nil
}

// decodeTarget reads one target; fault completes "the target …" and is empty when all is well.
func decodeTarget(text json.RawMessage) (target jobmanager.Target, fault string) {
	var fields map[string]json.RawMessage
	if err := json.Unmarshal(text, &fields); err != nil || fields == nil {
		return target, "is not an object"
	}
	names := map[string]string{}
	for _, key := range []string{"cluster_name", "orchestrator", "node_name"} {
		name, ok := scalar(fields[key])
		switch {
		case !ok || len(name) > maxName || strings.ContainsFunc(name, unicode.IsControl):
			return target, "has a " + key + " that is no name"
		case name == "" && key != "node_name":
			return target, "has no " + key
		}
		names[key] = name
	}
	return jobmanager.Target{
		Cluster:      names["cluster_name"],
		Node:         jobmanager.Text(names["node_name"]),
		Orchestrator: names["orchestrator"],
	}, ""
}

// scalar is the text of a JSON string, number or boolean; "" for null and nothing. YAML names such as 7 and
// true come as numbers and booleans.
func scalar(text json.RawMessage) (value string, ok bool) {
	text = bytes.TrimSpace(text)
	if len(text) == 0 || string(text) == "null" {
		return "", true
	}
	switch text[0] {
	case '"':
		err := json.Unmarshal(text, &value)
		return value, err == nil
	case '{', '[':
		return "", false
	default:
		return string(text), json.Valid(text)
	}
}

func quote(name string) string { return strconv.Quote(shorten(name)) }
