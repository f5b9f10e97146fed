package descriptor

import (
	"fmt"
	"strings"

	"go.yaml.in/yaml/v4"

	"github.com/icos-jobmanager/jobmanager/internal/jobmanager"
)

// shortForm is the type of a policy that has none but says it with a key. A number there is a weight of a
// user preference.
func shortForm(fields mapping) string {
	for _, short := range []string{"security", "redeployOnLostTelemetry"} {
		if node := fields.get(short); node != nil && !isNumber(node) {
			return short
		}
	}
	return ""
}

// readPolicies reads a list of policies, the application's or a component's. What a policy says is the
// Policy Manager's business; only its frame is read here.
func (r *run) readPolicies(node *yaml.Node, path string) []jobmanager.Policy {
	var policies []jobmanager.Policy
	for i, item := range r.needItems(node, path) {
		here := fmt.Sprintf("%s[%d]", path, i)
		fields, ok := mappingOf(item)
		if !ok {
			r.refusePolicy(item, here)
			continue
		}
		policy := jobmanager.Policy{
			Name:        r.shownText(fields, "name", here),
			Type:        r.shownText(fields, "type", here),
			Remediation: r.shownText(fields, "remediation", here),
			AppliesTo:   r.readAppliesTo(fields, here),
			Body:        valueOf(item),
		}
		if fields.get("type") == nil {
			policy.Type = shortForm(fields)
		}
		policies = append(policies, policy)
	}
	return policies
}

func (r *run) refusePolicy(item *yaml.Node, path string) {
	hint := "Write a mapping such as security: high."
	if text, ok := textOf(item); ok && strings.Contains(text, ":") {
		hint = "Put a blank after the ':'."
	}
	r.refuse(item, problem{code: CodeWrongType, path: path, message: path + " is " + kindOf(item) + "; a policy is a mapping", hint: hint})
}

// shownText is a text that is only shown: another type is kept in the body, with a warning.
func (r *run) shownText(fields mapping, key, path string) string {
	node := fields.get(key)
	if node == nil {
		return ""
	}
	text, ok := textOf(node)
	if !ok {
		r.warn(node, problem{
			code:    CodeWrongType,
			path:    path + "." + key,
			message: fmt.Sprintf("%s.%s is %s; the ICOS Policy Manager expects text", path, key, kindOf(node)),
			hint:    "Put it in quotes.",
		})
	}
	return text
}

// readAppliesTo reads apply-to and its older form component; names that no component has are reported when
// all components are known.
func (r *run) readAppliesTo(fields mapping, path string) []string {
	var names []string
	for _, key := range []string{"apply-to", "component"} {
		node := fields.get(key)
		_, isList := itemsOf(node)
		for i, item := range oneOrMany(node) {
			here := path + "." + key
			if isList {
				here = fmt.Sprintf("%s[%d]", here, i)
			}
			name, ok := textOf(item)
			if !ok {
				r.warn(item, problem{code: CodeWrongType, path: here, message: here + " is " + kindOf(item) + "; it names a component", hint: "Write the name of a component."})
				continue
			}
			names = append(names, name)
			if !isPattern(name) {
				r.mentions = append(r.mentions, reference{name, item, here})
			}
		}
	}
	return names
}

// isPattern says whether a policy's component stands for several: "*", or an expression between slashes.
func isPattern(name string) bool {
	return name == "*" || len(name) > 1 && strings.HasPrefix(name, "/") && strings.HasSuffix(name, "/")
}

// checkMentions warns of policies for components that are not there.
func (r *run) checkMentions() {
	for _, mention := range r.mentions {
		if r.named[mention.name] != nil || len(r.named) == 0 {
			continue
		}
		r.warn(mention.node, problem{
			code:    CodeUnknownComponent,
			path:    mention.path,
			message: fmt.Sprintf("the policy applies to %s, which is no component", quote(mention.name)),
			hint:    "Name one of the components: " + r.componentNames() + ".",
		})
	}
}
