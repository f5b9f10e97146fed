package descriptor

import (
	"fmt"
	"strings"

	"go.yaml.in/yaml/v4"

	"github.com/icos-jobmanager/jobmanager/internal/jobmanager"
)

// component is a component on its way: what it will be, and where it stands.
type component struct {
	jobmanager.Component
	node mapping
	path string
	refs []reference
	// sources are the manifests that refs resolved to, in the order of refs.
	sources []*source
}

// reference is one name under a component's manifests.
type reference struct {
	name string
	node *yaml.Node
	path string
}

func (r *run) readComponents(header mapping) {
	node := header.get("components")
	items := r.needItems(node, "components")
	if node == nil || resolved(node).Kind == yaml.SequenceNode && len(items) == 0 {
		at := node
		if at == nil {
			at = header.node
		}
		r.refuse(at, problem{
			code:    CodeMissingComponents,
			path:    "components",
			message: "the application has no components, so there is nothing to run",
			hint:    "List the components in the header, which is the first document.",
		})
		return
	}
	first := map[string]*yaml.Node{}
	r.named = map[string]*component{}
	for i, item := range items {
		path := fmt.Sprintf("components[%d]", i)
		fields, ok := mappingOf(item)
		if !ok {
			r.refuseType(item, path, "a mapping with name, type and manifests")
			continue
		}
		part := r.readComponent(fields, path, item)
		r.components = append(r.components, part)
		if name := fields.get("name"); part.Name != "" {
			r.checkComponentName(part, name, first)
		}
	}
}

func (r *run) readComponent(fields mapping, path string, item *yaml.Node) *component {
	part := &component{node: fields, path: path}
	switch name := fields.get("name"); {
	case name == nil && hasLostDash(fields.node):
	case name == nil:
		r.refuse(item, problem{code: CodeMissingName, path: path + ".name", message: path + " has no name", hint: "Name the component. " + rfc1123})
	default:
		text, ok := r.needText(name, path+".name")
		part.Name = text
		if ok && text == "" {
			r.refuse(name, problem{code: CodeMissingName, path: path + ".name", message: "the name of " + path + " is empty", hint: rfc1123})
		}
	}
	part.Type = r.readType(fields, path+".type", item)
	part.refs = r.readReferences(fields.get("manifests"), path+".manifests")
	for _, ref := range part.refs {
		part.References = append(part.References, ref.name)
	}
	part.Requirements = r.readRequirements(fields.get("requirements"), path+".requirements")
	part.Communication = valueOf(fields.get("communication"))
	part.Dependencies = valueOf(fields.get("dependencies"))
	part.Policies = r.readPolicies(fields.get("policies"), path+".policies")
	part.Pins = r.readPins(fields.get("targets"), path+".targets")
	return part
}

// readType reads a component's type; any word is one.
func (r *run) readType(fields mapping, path string, item *yaml.Node) string {
	if node := fields.get("type"); node != nil {
		text, ok := r.needText(node, path)
		if !ok || text != "" {
			return text
		}
		item = node
	} else if hasLostDash(fields.node) {
		return ""
	}
	r.warn(item, problem{
		code:    CodeMissingType,
		path:    path,
		message: "the component has no type; the ICOS Policy Manager requires one",
		hint:    "Give the component a type: kubernetes, docker or multiple.",
	})
	return ""
}

func (r *run) checkComponentName(part *component, node *yaml.Node, first map[string]*yaml.Node) {
	path := part.path + ".name"
	if !isLabel(part.Name) {
		r.refuse(node, problem{
			code:    CodeInvalidName,
			path:    path,
			message: fmt.Sprintf("the component's name %s breaks RFC 1123", quote(part.Name)),
			hint:    rfc1123,
		})
	}
	if other, twice := first[part.Name]; twice {
		r.refuse(node, problem{
			code:    CodeDuplicateComponent,
			path:    path,
			message: fmt.Sprintf("two components are named %s, the first at %s", quote(part.Name), at(other)),
			hint:    "Rename one of the two.",
		})
		return
	}
	first[part.Name] = node
	r.named[part.Name] = part
}

// componentNames lists the components for a hint, the first few.
func (r *run) componentNames() string {
	const few = 10
	var names []string
	for _, part := range r.components {
		if len(names) == few {
			return strings.Join(names, ", ") + ", …"
		}
		names = append(names, quote(part.Name))
	}
	return strings.Join(names, ", ")
}

// readReferences reads a component's manifests: mappings with a name, or plain names.
func (r *run) readReferences(node *yaml.Node, path string) []reference {
	var refs []reference
	for i, item := range r.needItems(node, path) {
		here := fmt.Sprintf("%s[%d]", path, i)
		if name, ok := textOf(item); ok {
			refs = r.appendReference(refs, reference{name, item, here})
			continue
		}
		fields, ok := mappingOf(item)
		if !ok {
			r.refuseType(item, here, "a mapping with a name")
			continue
		}
		if fields.get("manifest") != nil {
			r.refuse(item, problem{
				code:    CodeWrongType,
				path:    here + ".manifest",
				message: "a component refers to manifests and does not hold them",
				hint:    "Move the manifest to the list manifests of the header and keep its name here.",
			})
		}
		name := fields.get("name")
		if name == nil {
			if !hasLostDash(item) {
				r.refuse(item, problem{code: CodeMissingName, path: here + ".name", message: here + " has no name", hint: "Name the manifest that it refers to."})
			}
			continue
		}
		if text, ok := r.needText(name, here+".name"); ok {
			refs = r.appendReference(refs, reference{text, name, here + ".name"})
		}
	}
	return refs
}

func (r *run) appendReference(refs []reference, ref reference) []reference {
	if ref.name == "" {
		r.refuse(ref.node, problem{code: CodeMissingName, path: ref.path, message: ref.path + " is empty", hint: "Name the manifest that it refers to."})
		return refs
	}
	return append(refs, ref)
}

// readPins reads the targets that a component names itself: one or a list.
func (r *run) readPins(node *yaml.Node, path string) []jobmanager.Target {
	var pins []jobmanager.Target
	_, isList := itemsOf(node)
	for i, item := range oneOrMany(node) {
		here := path
		if isList {
			here = fmt.Sprintf("%s[%d]", path, i)
		}
		fields, ok := mappingOf(item)
		if !ok {
			r.refuseType(item, here, "a mapping with cluster_name, node_name and orchestrator")
			continue
		}
		pin := jobmanager.Target{
			Cluster:      r.readPinField(fields, "cluster_name", here),
			Node:         jobmanager.Text(r.readPinField(fields, "node_name", here)),
			Orchestrator: r.readPinField(fields, "orchestrator", here),
			Pinned:       true,
		}
		for _, missing := range []struct{ key, value string }{{"cluster_name", pin.Cluster}, {"orchestrator", pin.Orchestrator}} {
			if missing.value == "" && (fields.get(missing.key) == nil || fields.text(missing.key) == "") {
				r.refuse(item, problem{
					code:    CodeIncompleteTarget,
					path:    here + "." + missing.key,
					message: "the target has no " + missing.key,
					hint:    "Give " + missing.key + ", or remove targets and let the Matchmaker choose.",
				})
			}
		}
		pins = append(pins, pin)
	}
	return pins
}

func (r *run) readPinField(fields mapping, key, path string) string {
	node := fields.get(key)
	if node == nil {
		return ""
	}
	text, _ := r.needText(node, path+"."+key)
	return text
}

// refuseType refuses a list item of the wrong type.
func (r *run) refuseType(node *yaml.Node, path, want string) {
	r.refuse(node, problem{code: CodeWrongType, path: path, message: path + " is " + kindOf(node) + "; it must be " + want, hint: "Write " + want + "."})
}
