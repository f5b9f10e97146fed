package descriptor

import (
	"cmp"
	"fmt"
	"strings"

	"go.yaml.in/yaml/v4"
)

// checkSources holds every manifest to what its kind demands, when it is known which components use it.
func (r *run) checkSources() {
	first := map[object]*source{}
	for _, s := range r.sources {
		if s.isCompose() {
			r.checkCompose(s)
			continue
		}
		if !r.readObject(s) {
			continue
		}
		other, twice := first[s.object]
		if !twice {
			first[s.object] = s
			continue
		}
		r.refuse(s.at, problem{
			code:    CodeDuplicateManifest,
			path:    s.path,
			message: fmt.Sprintf("two manifests are the %s %s of one namespace, the first at %s", s.object.kind, quote(s.object.name), at(other.at)),
			hint:    "Remove or rename one of the two.",
		})
	}
}

// checkCompose warns where a manifest is taken for compose only because nothing tells what it is.
func (r *run) checkCompose(s *source) {
	if s.docker || s.fields.get("services") != nil {
		return
	}
	r.warn(s.at, problem{
		code:    CodeManifestIncomplete,
		path:    s.path,
		message: "this manifest has neither apiVersion and kind as Kubernetes has, nor services as compose has",
		hint:    "Check that it is a manifest.",
	})
}

// readObject reads what makes the object unique; false when something is missing.
func (r *run) readObject(s *source) bool {
	metadata, _ := mappingOf(s.fields.get("metadata"))
	s.object = object{
		apiVersion: s.fields.text("apiVersion"),
		kind:       s.fields.text("kind"),
		namespace:  metadata.text("namespace"),
		name:       metadata.text("name"),
	}
	complete := true
	for _, needed := range []struct {
		key   string
		value string
		node  *yaml.Node
	}{
		{"apiVersion", s.object.apiVersion, s.fields.get("apiVersion")},
		{"kind", s.object.kind, s.fields.get("kind")},
		{"metadata.name", s.object.name, metadata.get("name")},
	} {
		if needed.value != "" {
			continue
		}
		complete = false
		message := "the Kubernetes manifest has no " + needed.key
		if needed.node != nil {
			message = "the manifest's " + needed.key + " is no text that can be used"
		}
		r.refuse(cmp.Or(needed.node, s.at), problem{
			code:    CodeManifestIncomplete,
			path:    s.path + "." + needed.key,
			message: message,
			hint:    "Give " + needed.key + " as text" + orCompose(needed.key) + ".",
		})
	}
	return complete
}

func orCompose(key string) string {
	if strings.Contains(key, ".") {
		return ""
	}
	return "; a compose file has services instead"
}
