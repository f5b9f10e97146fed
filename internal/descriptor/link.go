package descriptor

import (
	"fmt"

	"go.yaml.in/yaml/v4"

	"github.com/icos-jobmanager/jobmanager/internal/jobmanager"
)

// topology collects an application's links, each once.
type topology struct {
	run *run
	// owners are the components by their own names and by metadata.name of their manifests, the first of each.
	owners map[string]string
	seen   map[jobmanager.Link]bool
}

// drawLinks draws the topology from what components say they talk to and depend on.
func (r *run) drawLinks(root *yaml.Node) {
	t := &topology{run: r, owners: map[string]string{}, seen: map[jobmanager.Link]bool{}}
	for _, part := range r.components {
		for _, s := range part.sources {
			if name := s.object.name; t.owners[name] == "" {
				t.owners[name] = part.Name
			}
		}
	}
	delete(t.owners, "") // compose manifests have no metadata.name
	for name := range r.named {
		t.owners[name] = name
	}
	for _, part := range r.components {
		t.communication(part)
		t.dependencies(part.Name, part.node.get("dependencies"), part.path+".dependencies")
	}
	header, _ := mappingOf(root)
	t.applicationDependencies(header.get("dependencies"), "dependencies")
}

// communication reads {incoming: [service], outgoing: [service]}, and the older list of such mappings.
func (t *topology) communication(part *component) {
	node, path := part.node.get("communication"), part.path+".communication"
	for _, item := range oneOrMany(node) {
		fields, ok := mappingOf(item)
		if !ok {
			t.run.warn(item, problem{
				code:    CodeWrongType,
				path:    path,
				message: path + " is " + kindOf(item) + "; it is only shown, no link is drawn from it",
				hint:    "Write incoming and outgoing, each with a list of services.",
			})
			continue
		}
		for _, other := range namesIn(fields.get("outgoing"), path) {
			t.link(part.Name, t.owners[other.name], jobmanager.LinkCommunication)
		}
		for _, other := range namesIn(fields.get("incoming"), path) {
			t.link(t.owners[other.name], part.Name, jobmanager.LinkCommunication)
		}
	}
}

// applicationDependencies reads the application's own: {component: [names]}, a list of mappings with from
// and to under one of their names, or plain names, which draw no link.
func (t *topology) applicationDependencies(node *yaml.Node, path string) {
	for i, item := range oneOrMany(node) {
		here := path
		if _, isList := itemsOf(node); isList {
			here = fmt.Sprintf("%s[%d]", path, i)
		}
		fields, ok := mappingOf(item)
		if !ok {
			t.dependencies("", item, here)
			continue
		}
		from, to := fields.firstOf("from", "component", "name"), fields.firstOf("to", "on", "dependsOn", "depends-on", "depends_on", "dependencies", "requires")
		switch {
		case from != nil:
			t.dependencies("", from, here)
			t.dependencies(resolved(from).Value, to, here)
		default:
			for _, entry := range fields.entries {
				t.dependencies(keyText(entry.key), entry.value, here+"."+shorten(keyText(entry.key)))
			}
		}
	}
}

// dependencies draws links from a component to everything that node names; from is "" when nobody is known.
func (t *topology) dependencies(from string, node *yaml.Node, path string) {
	for _, other := range namesIn(node, path) {
		to := t.owners[other.name]
		if to == "" && len(t.run.named) > 0 {
			t.run.warn(other.node, problem{
				code:    CodeUnknownComponent,
				path:    other.path,
				message: fmt.Sprintf("the dependency %s is no component", quote(other.name)),
				hint:    "Name one of the components: " + t.run.componentNames() + ".",
			})
		}
		t.link(t.owners[from], to, jobmanager.LinkDependency)
	}
}

// link adds an edge unless one end is unknown, it is there already, or it leads back to where it comes from.
func (t *topology) link(from, to string, kind jobmanager.LinkKind) {
	link := jobmanager.Link{From: from, To: to, Kind: kind}
	if from == "" || to == "" || from == to || t.seen[link] {
		return
	}
	t.seen[link] = true
	t.run.descriptor.Links = append(t.run.descriptor.Links, link)
}

// firstOf is the value under the first of keys that is there.
func (m mapping) firstOf(keys ...string) *yaml.Node {
	for _, key := range keys {
		if node := m.get(key); node != nil {
			return node
		}
	}
	return nil
}

// namesIn are the names that a piece of a descriptor mentions: a text, texts in a list, mappings with a
// name, or the keys of a mapping.
func namesIn(node *yaml.Node, path string) []reference {
	var names []reference
	_, isList := itemsOf(node)
	for i, item := range oneOrMany(node) {
		here := path
		if isList {
			here = fmt.Sprintf("%s[%d]", path, i)
		}
		if text, ok := textOf(item); ok {
			names = append(names, reference{text, item, here})
			continue
		}
		fields, _ := mappingOf(item)
		if name := fields.firstOf("name", "component", "service"); name != nil {
			text, _ := textOf(name)
			names = append(names, reference{text, name, here})
			continue
		}
		for _, entry := range fields.entries {
			names = append(names, reference{keyText(entry.key), entry.key, here})
		}
	}
	return names
}
