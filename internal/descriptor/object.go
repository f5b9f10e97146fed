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
		if s.shape != shapeKubernetes {
			r.checkShape(s)
			continue
		}
		metadata := s.readObject()
		if s.docker && !s.kubernetes {
			// Whoever refers to it does not want an object, and is warned of that.
			continue
		}
		if !r.checkObject(s, metadata) {
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

// checkShape reports a manifest that nothing tells what it is: nobody can apply it as a Kubernetes object, so
// a component that needs one cannot run.
func (r *run) checkShape(s *source) {
	if s.shape != shapeUnknown {
		return
	}
	finding := problem{
		code:    CodeManifestIncomplete,
		path:    s.path,
		message: "this manifest has neither apiVersion and kind as Kubernetes has, nor services as compose has",
		hint:    "Check that it is a manifest.",
	}
	switch {
	case s.kubernetes:
		finding.hint = "Give apiVersion, kind and metadata.name: a component of type kubernetes or manifest refers to it."
		r.refuse(s.at, finding)
		return
	case s.docker:
		finding.hint = "Give services: a component of type docker refers to it."
	}
	r.warn(s.at, finding)
}

// readObject fills the object with what is there, and gives the metadata.
func (s *source) readObject() mapping {
	metadata, _ := mappingOf(s.fields.get("metadata"))
	s.object = object{
		apiVersion: s.fields.text("apiVersion"),
		kind:       s.fields.text("kind"),
		namespace:  metadata.text("namespace"),
		name:       metadata.text("name"),
	}
	return metadata
}

// checkObject refuses an object that lacks what makes it unique; false when it does.
func (r *run) checkObject(s *source, metadata mapping) bool {
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
