package descriptor

import (
	"fmt"

	"go.yaml.in/yaml/v4"

	"github.com/icos-jobmanager/jobmanager/internal/jobmanager"
)

// source is one manifest of the descriptor, before it is known who refers to it.
type source struct {
	// name is what components refer to: the entry's name, else metadata.name, else a compose file's own name.
	name string
	// former is the reference to the manifest in whose place this one is put; empty when there is none.
	former string
	text   string
	root   *yaml.Node
	// at is where findings about the whole manifest go: the alias when there is only one here.
	at     *yaml.Node
	path   string
	fields mapping
	shape  shape
	// object is filled when the shape is that of a Kubernetes object.
	object object
	// used says that a component refers to it, docker that one of type docker does, kubernetes that one of
	// type kubernetes or manifest does.
	used, docker, kubernetes bool
}

// object is what makes a Kubernetes object unique.
type object struct{ apiVersion, kind, namespace, name string }

// manifest is the source as a component gets it.
func (s *source) manifest() jobmanager.Manifest {
	return jobmanager.Manifest{Name: s.name, APIVersion: s.object.apiVersion, Kind: s.object.kind, Text: s.text}
}

// addSource takes a manifest whose text is found. name is "" where the manifest names itself.
func (r *run) addSource(s *source, name string) {
	s.name = name
	if s.name == "" {
		metadata, _ := mappingOf(s.fields.get("metadata"))
		s.name = metadata.text("name")
	}
	if s.name == "" {
		s.name = s.fields.text("name")
	}
	s.shape = shapeOf(s.fields)
	r.sources = append(r.sources, s)
}

// readManifestDocument reads a document after the header: a manifest, or a list of them as the header may have.
func (r *run) readManifestDocument(document document, path string) {
	root := r.load(document)
	if root == nil {
		return
	}
	fields, ok := mappingOf(root)
	if isManifestList(fields) {
		r.checkListKeys(root, path)
		r.readManifestList(fields, document, path+".manifests")
		return
	}
	r.checkManifestKeys(root, path)
	if !ok {
		r.refuseType(root, path, "a mapping: a manifest")
		return
	}
	s := &source{root: root, at: root, path: path, fields: fields, text: document.source()}
	if !r.gives(s.text, root) && !r.rewrite(s) {
		return
	}
	r.addSource(s, "")
}

// isManifestList says whether a document after the header has only the key manifests. No manifest has only that.
// So entries, whose names are not metadata.name, can follow a header that is kept as it is.
func isManifestList(fields mapping) bool {
	return len(fields.entries) == 1 && fields.get("manifests") != nil
}

// readManifestList reads the manifests of the header, or of a document that has nothing else: entries with a name
// and a manifest, or raw manifests. The names of entries differ within a list; a name that two lists have means
// the manifests of both, as it does for two documents of one metadata.name.
func (r *run) readManifestList(above mapping, document document, list string) {
	node := above.get("manifests")
	items := r.needItems(node, list)
	r.descriptor.HasManifests = r.descriptor.HasManifests || len(items) > 0
	first := map[string]*yaml.Node{}
	for i, item := range items {
		path := fmt.Sprintf("%s[%d]", list, i)
		fields, ok := mappingOf(item)
		if !ok {
			r.refuseType(item, path, "a mapping: a manifest, or an entry with name and manifest")
			continue
		}
		area := area{end: document.offset + len(document.lines), inPlace: node.Kind == yaml.SequenceNode && item.Kind == yaml.MappingNode}
		if i+1 < len(items) {
			area.end = items[i+1].Line - 1
		} else if next := above.after(node); next != nil {
			area.end = next.Line - 1
		}
		if isNamedEntry(fields) {
			r.readNamedEntry(fields, path, area, first)
			continue
		}
		s := &source{root: resolved(item), at: item, path: path, fields: fields}
		area.item = true
		if r.cutOrRewrite(s, area) {
			r.addSource(s, "")
		}
	}
}

// isNamedEntry tells an entry with name and manifest from a raw manifest, which may have such keys too.
func isNamedEntry(fields mapping) bool {
	if fields.get("manifest") != nil {
		return fields.get("apiVersion") == nil && fields.get("kind") == nil
	}
	for _, key := range []string{"apiVersion", "kind", "metadata", "services"} {
		if fields.get(key) != nil {
			return false
		}
	}
	return true
}

func (r *run) readNamedEntry(fields mapping, path string, area area, first map[string]*yaml.Node) {
	if hasLostDash(fields.node) {
		return
	}
	name := r.readEntryName(fields, path, first)
	node := fields.get("manifest")
	if node == nil {
		r.refuse(fields.node, problem{
			code:    CodeManifestIncomplete,
			path:    path + ".manifest",
			message: path + " has no manifest",
			hint:    "Add the manifest under the key manifest, or remove the entry.",
		})
		return
	}
	path += ".manifest"
	if text, ok := textOf(node); ok {
		r.readText(node, text, path, name)
		return
	}
	body, ok := mappingOf(node)
	if !ok {
		r.refuseType(node, path, "a mapping or a text block")
		return
	}
	s := &source{root: resolved(node), at: node, path: path, fields: body}
	area.start = fields.keyLine("manifest")
	area.inPlace = area.inPlace && node.Kind != yaml.AliasNode && area.start > 0
	if next := fields.after(node); next != nil {
		area.end = next.Line - 1
	}
	if r.cutOrRewrite(s, area) && name != "" {
		r.addSource(s, name)
	}
}

func (r *run) readEntryName(fields mapping, path string, first map[string]*yaml.Node) string {
	path += ".name"
	node := fields.get("name")
	if node == nil {
		r.refuse(fields.node, problem{code: CodeMissingName, path: path, message: path + " is missing", hint: "Give the name by which components refer to the manifest."})
		return ""
	}
	name, ok := r.needText(node, path)
	if ok && name == "" {
		r.refuse(node, problem{code: CodeMissingName, path: path, message: path + " is empty", hint: "Give the name by which components refer to the manifest."})
	}
	if other, twice := first[name]; twice && name != "" {
		r.refuse(node, problem{
			code:    CodeDuplicateManifest,
			path:    path,
			message: fmt.Sprintf("two manifests are named %s, the first at %s", quote(name), at(other)),
			hint:    "Rename one of the two.",
		})
	} else {
		first[name] = node
	}
	return name
}

// readText reads a manifest that is a string. One document is the text itself; of several, each is one.
func (r *run) readText(node *yaml.Node, text, path, name string) {
	documents := split(linesOf(text))
	if len(documents) == 0 {
		r.refuse(node, problem{
			code:    CodeManifestIncomplete,
			path:    path,
			message: path + " is a text without content",
			hint:    "Write the manifest, or remove the entry.",
		})
	}
	inText := r.frameOf(resolved(node), text)
	for _, document := range documents {
		own := document.source()
		if len(documents) == 1 {
			own = text
		}
		root, _ := r.loadFramed(document, inText)
		if root == nil {
			continue
		}
		r.checkManifestKeys(root, path)
		fields, ok := mappingOf(root)
		if !ok {
			r.refuseType(node, path, "the text of a mapping")
			continue
		}
		s := &source{root: root, at: root, path: path, fields: fields, text: own}
		if (r.gives(own, root) || r.rewrite(s)) && name != "" {
			r.addSource(s, name)
		}
	}
}
