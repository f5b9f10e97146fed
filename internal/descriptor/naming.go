package descriptor

import (
	"fmt"
	"slices"
)

// naming finds the references to new manifests.
type naming struct {
	// taken are the names that mean something already, with how many manifests and references do.
	taken map[string]int
	// shared are the texts that have a name which means nothing else.
	shared map[string]string
	// own counts the new texts that have a name themselves, equal ones once.
	own map[string]int
}

// name gives the new manifests their names, component by component in the order of the descriptor.
func (c *change) name() {
	n := c.naming()
	for _, part := range c.present.components {
		for i, s := range c.texts[part.Name] {
			name := n.shared[s.text]
			if name == "" || slices.Contains(c.names[part.Name], name) {
				name = n.newName(s, part.Name, i+1)
				c.added = append(c.added, s)
			}
			c.names[part.Name] = append(c.names[part.Name], name)
		}
	}
}

// newName is that of the manifest in whose place it stands, else the name that it has itself where nothing else has it, else <component>-<n> with its place,
// or the next number that is free.
func (n *naming) newName(s *source, component string, place int) string {
	if s.former != "" && n.taken[s.former] == 0 && (s.former == s.name || n.own[s.former] == 0) {
		s.name = s.former
	} else if s.name == "" || n.taken[s.name] > 0 || n.own[s.name] > 1 {
		for s.name = fmt.Sprintf("%s-%d", component, place); n.taken[s.name]+n.own[s.name] > 0; place++ {
			s.name = fmt.Sprintf("%s-%d", component, place+1)
		}
	}
	n.taken[s.name]++
	n.shared[s.text] = s.name
	return s.name
}

// naming counts the names of what stays and of what is new.
func (c *change) naming() *naming {
	n := &naming{taken: map[string]int{}, shared: map[string]string{}, own: map[string]int{}}
	for _, s := range c.kept {
		n.taken[s.name]++
	}
	for _, s := range c.kept {
		if n.shared[s.text] == "" && n.taken[s.name] == 1 {
			n.shared[s.text] = s.name
		}
	}
	counted := map[string]bool{}
	for _, part := range c.present.components {
		sources, changed := c.texts[part.Name]
		if !changed {
			for _, name := range part.References {
				n.taken[name]++
			}
		}
		for _, s := range sources {
			if !counted[s.text] {
				counted[s.text] = true
				n.own[s.name]++
			}
		}
	}
	return n
}
