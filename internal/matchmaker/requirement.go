package matchmaker

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/icos-jobmanager/jobmanager/internal/jobmanager"
)

// check is one thing that a component asks of a node.
type check struct {
	fits func(node) bool
	// one and many complete "1 of 5 …" and "3 of 5 …" when the node does not fit.
	one, many string
}

// checksOf reads what a component asks for: its type, and the requirements architecture, cpu, memory,
// devices and nodelabel. Other keys are left alone: the descriptor's parser warns about them. Each fault is
// a sentence about a requirement that cannot be understood; with a fault nothing can match.
func checksOf(component jobmanager.Component) (checks []check, faults []string) {
	if kind := component.Type; kind != "" {
		checks = append(checks, check{
			fits: func(n node) bool { return n.accepts(kind) },
			one:  "takes no component of type " + shorten(kind),
			many: "take no component of type " + shorten(kind),
		})
	}
	if component.Requirements == nil {
		return checks, nil
	}
	var written map[string]json.RawMessage
	if err := json.Unmarshal(component.Requirements, &written); err != nil {
		return nil, []string{"requirements is not understood: write a mapping such as {cpu: 1, memory: 200Mi}"}
	}
	for _, kind := range []struct {
		key     string
		read    func(json.RawMessage) ([]check, bool)
		example string
	}{
		{"architecture", architectureChecks, "a name such as amd64 or arm64"},
		{"cpu", cpuChecks, "a number of cores such as 0.5 or 500m"},
		{"memory", memoryChecks, "a quantity such as 200Mi or 7Gi"},
		{"devices", deviceChecks, "a device such as squat.ai/video, or a list of them"},
		{"nodelabel", labelChecks, "a mapping such as {key: zone, values: [north, south]}"},
	} {
		text := written[kind.key]
		if len(text) == 0 || string(text) == "null" {
			continue
		}
		read, ok := kind.read(text)
		if !ok {
			faults = append(faults, fmt.Sprintf("requirement %s: %s is not understood: write %s",
				kind.key, shorten(string(text)), kind.example))
		}
		checks = append(checks, read...)
	}
	return checks, faults
}

func architectureChecks(text json.RawMessage) ([]check, bool) {
	name, ok := scalar(text)
	if !ok || name == "" {
		return nil, false
	}
	wanted := canonicalArchitecture(name)
	return []check{{
		fits: func(n node) bool { return n.architecture == wanted },
		one:  "is not of architecture " + shorten(name),
		many: "are not of architecture " + shorten(name),
	}}, true
}

func cpuChecks(text json.RawMessage) ([]check, bool) {
	written, _ := scalar(text)
	cores, ok := parseCPU(written)
	if !ok {
		return nil, false
	}
	return []check{{
		fits: func(n node) bool { return n.cpu >= cores },
		one:  "has less than " + shorten(written) + " cpu",
		many: "have less than " + shorten(written) + " cpu",
	}}, true
}

func memoryChecks(text json.RawMessage) ([]check, bool) {
	written, _ := scalar(text)
	bytes, ok := parseMemory(written)
	if !ok {
		return nil, false
	}
	return []check{{
		fits: func(n node) bool { return n.memory >= bytes },
		one:  "has less than " + shorten(written) + " memory",
		many: "have less than " + shorten(written) + " memory",
	}}, true
}

func deviceChecks(text json.RawMessage) ([]check, bool) {
	devices, ok := scalars(text)
	var checks []check
	for _, device := range devices {
		checks = append(checks, check{
			fits: func(n node) bool { return slices.Contains(n.devices, device) },
			one:  "lacks device " + shorten(device),
			many: "lack device " + shorten(device),
		})
	}
	return checks, ok
}

func labelChecks(text json.RawMessage) ([]check, bool) {
	var label map[string]json.RawMessage
	if err := json.Unmarshal(text, &label); err != nil {
		return nil, false
	}
	key, keyed := scalar(label["key"])
	values, listed := scalars(label["values"])
	if !keyed || key == "" || !listed || len(values) == 0 {
		return nil, false
	}
	wanted := fmt.Sprintf("label %s with value %s", shorten(key), shorten(strings.Join(values, " or ")))
	return []check{{
		fits: func(n node) bool {
			value, labelled := n.labels[key]
			return labelled && slices.Contains(values, value)
		},
		one:  "lacks " + wanted,
		many: "lack " + wanted,
	}}, true
}

// scalars reads one scalar or a list of them; an empty text in it is not ok.
func scalars(text json.RawMessage) (values []string, ok bool) {
	var list []json.RawMessage
	if len(text) == 0 || text[0] != '[' {
		list = append(list, text)
	} else if err := json.Unmarshal(text, &list); err != nil {
		return nil, false
	}
	for _, element := range list {
		value, ok := scalar(element)
		if !ok || value == "" {
			return nil, false
		}
		values = append(values, value)
	}
	return values, true
}
