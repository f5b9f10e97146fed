package descriptor

import "fmt"

// The component types that say what their manifests are. Any other type, as multiple, leaves it open.
const (
	typeDocker     = "docker"
	typeKubernetes = "kubernetes"
	// typeManifest is the older word for typeKubernetes.
	typeManifest = "manifest"
)

// shape is what a manifest is by its keys alone, whoever refers to it.
type shape int

const (
	// shapeUnknown has no key that tells.
	shapeUnknown shape = iota
	// shapeCompose has services.
	shapeCompose
	// shapeKubernetes has apiVersion, kind or metadata, though perhaps not all that an object needs.
	shapeKubernetes
)

// shapeOf tells a shape. An object of Kubernetes may have services of its own, so with apiVersion and kind
// they make no compose file.
func shapeOf(fields mapping) shape {
	hasKind, hasVersion := fields.get("kind") != nil, fields.get("apiVersion") != nil
	switch {
	case fields.get("services") != nil && (!hasKind || !hasVersion):
		return shapeCompose
	case hasKind || hasVersion || fields.get("metadata") != nil:
		return shapeKubernetes
	}
	return shapeUnknown
}

func (c *component) isDocker() bool { return c.Type == typeDocker }

func (c *component) isKubernetes() bool { return c.Type == typeKubernetes || c.Type == typeManifest }

// checkFit warns where a component refers to a manifest that its type cannot run, once for each reference.
func (r *run) checkFit(part *component, ref reference, found []*source) {
	finding := problem{code: CodeManifestType, path: ref.path}
	for _, s := range found {
		switch {
		case part.isDocker() && s.shape == shapeKubernetes:
			finding.message = fmt.Sprintf("the component is of type docker, and the manifest %s is a Kubernetes object", quote(ref.name))
			finding.hint = "Change the type of the component to kubernetes, or refer to a compose file."
		case part.isKubernetes() && s.shape == shapeCompose:
			finding.message = fmt.Sprintf("the component is of type %s, and the manifest %s is a compose file", part.Type, quote(ref.name))
			finding.hint = "Change the type of the component to docker, or refer to a Kubernetes object."
		default:
			continue
		}
		r.warn(ref.node, finding)
		return
	}
}
