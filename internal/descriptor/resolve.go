package descriptor

import "fmt"

// resolve marks the manifests that components refer to and reports what does not fit.
func (r *run) resolve() {
	byName := map[string][]*source{}
	for _, s := range r.sources {
		if s.name != "" {
			byName[s.name] = append(byName[s.name], s)
		}
	}
	for _, part := range r.components {
		seen := map[string]bool{}
		for _, ref := range part.refs {
			if seen[ref.name] {
				r.warn(ref.node, problem{
					code:    CodeDuplicateReference,
					path:    ref.path,
					message: fmt.Sprintf("the component refers to %s twice; it is applied once", quote(ref.name)),
					hint:    "Remove one of the two.",
				})
				continue
			}
			seen[ref.name] = true
			found := byName[ref.name]
			if len(found) == 0 {
				r.reportUnresolved(ref)
			}
			r.checkFit(part, ref, found)
			r.give(part, found)
		}
	}
	r.reportUnused()
}

// give hands manifests to a component while there is room: what many components share is stored with each.
func (r *run) give(part *component, found []*source) {
	limit := amplification * r.limits.Bytes
	for _, s := range found {
		s.used = true
		s.docker = s.docker || part.isDocker()
		s.kubernetes = s.kubernetes || part.isKubernetes()
		if r.given > limit {
			continue
		}
		if r.given += len(s.text); r.given > limit {
			r.refuse(part.node.node, problem{
				code:    CodeTooLarge,
				path:    part.path + ".manifests",
				message: fmt.Sprintf("up to here the manifests of all components have more than %d bytes", limit),
				hint:    "Let fewer components refer to one large manifest.",
			})
		}
		part.sources = append(part.sources, s)
	}
}

// reportUnresolved refuses a dangling reference; a header without any manifest only gets a warning.
func (r *run) reportUnresolved(ref reference) {
	finding := problem{
		code:    CodeUnresolvedReference,
		path:    ref.path,
		message: "no manifest is named " + quote(ref.name),
		hint:    "Add a manifest of this name (an entry's name, or metadata.name), or correct the reference.",
	}
	if r.descriptor.HasManifests {
		r.refuse(ref.node, finding)
		return
	}
	r.warn(ref.node, finding)
}

func (r *run) reportUnused() {
	if r.components == nil {
		// Without components every manifest is unused, and that is said already.
		return
	}
	for _, s := range r.sources {
		// A Kubernetes object without a name is refused for that alone.
		if s.used || s.name == "" && s.shape == shapeKubernetes {
			continue
		}
		finding := problem{
			code:    CodeUnusedManifest,
			path:    s.path,
			message: fmt.Sprintf("no component refers to the manifest %s, so nobody applies it", quote(s.name)),
			hint:    "Name it under a component's manifests, or remove it.",
		}
		if s.name == "" {
			finding.message = "the manifest has no name, so no component can refer to it and nobody applies it"
			finding.hint = "Make it an entry of manifests, with name and manifest."
		}
		r.warn(s.at, finding)
	}
}

// giveManifests completes the components: each gets its manifests in the order of its references.
func (r *run) giveManifests() {
	for _, part := range r.components {
		for _, s := range part.sources {
			part.Manifests = append(part.Manifests, s.manifest())
		}
		r.descriptor.Components = append(r.descriptor.Components, part.Component)
	}
}
