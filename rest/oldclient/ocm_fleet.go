package oldclient

import (
	"crypto/rand"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"
)

// Fleet is the clusters that one OCM hub manages, as its API server shows them: ManifestWorks, each in the namespace
// of its cluster. It is safe for concurrent use. Start with NewFleet.
type Fleet struct {
	now func() time.Time

	mu sync.Mutex // guards the fields below
	// works by cluster, in the order in which they were made.
	works map[string][]*Work
}

// Work is a ManifestWork.
type Work struct {
	UID, Name, Cluster string
	// Manifests that it carries; the first one of a created work is the namespace.
	Manifests []string
	// Annotations that each of its manifests got; nil for a work of somebody else.
	Annotations map[string]string
	Conditions  []OCMCondition
	// Resized counts scale-out up and scale-in down.
	Resized int
}

// Component that the work runs, by its annotation.
func (w Work) Component() string { return w.Annotations["app.icos.eu/component"] }

// NewFleet makes clusters without works. now dates the conditions; nil means the real time.
func NewFleet(now func() time.Time, clusters ...string) *Fleet {
	if now == nil {
		now = time.Now
	}
	f := &Fleet{now: now, works: map[string][]*Work{}}
	for _, cluster := range clusters {
		f.works[cluster] = nil
	}
	return f
}

// Works lists all works of all clusters, by cluster, the oldest first.
func (f *Fleet) Works() []Work {
	f.mu.Lock()
	defer f.mu.Unlock()
	var all []Work
	for _, cluster := range slices.Sorted(maps.Keys(f.works)) {
		for _, work := range f.works[cluster] {
			all = append(all, work.copied())
		}
	}
	return all
}

// Of lists the works of a component.
func (f *Fleet) Of(component string) []Work {
	return slices.DeleteFunc(f.Works(), func(w Work) bool { return w.Component() != component })
}

// AddForeign makes n works that no job asked for, with conditions.
func (f *Fleet) AddForeign(cluster, name string, n int) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	for range n {
		if _, err := f.create(Work{Name: name + "-", Cluster: cluster, Conditions: f.conditions("")}); err != nil {
			return err
		}
	}
	return nil
}

// Remove takes a work away behind the agent's back; an unknown uid is an error.
func (f *Fleet) Remove(uid string) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	for cluster, works := range f.works {
		if at := slices.IndexFunc(works, func(w *Work) bool { return w.UID == uid }); at >= 0 {
			f.works[cluster] = slices.Delete(works, at, at+1)
			return nil
		}
	}
	return fmt.Errorf("there is no work %s", uid)
}

// Restore lists a work again that was removed, as one whose finalizers still run.
func (f *Fleet) Restore(w Work) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.works[w.Cluster] = append(f.works[w.Cluster], &w)
}

// SetCondition changes a condition of a work, or adds it; an unknown uid is an error.
func (f *Fleet) SetCondition(uid, kind, status, reason string) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	changed := OCMCondition{Type: kind, Status: status, ObservedGeneration: 1, LastTransitionTime: OCMTime{f.now()}, Reason: reason, Message: "set by the test"}
	for _, works := range f.works {
		for _, work := range works {
			if work.UID != uid {
				continue
			}
			if at := slices.IndexFunc(work.Conditions, func(c OCMCondition) bool { return c.Type == kind }); at >= 0 {
				work.Conditions[at] = changed
			} else {
				work.Conditions = append(work.Conditions, changed)
			}
			return nil
		}
	}
	return fmt.Errorf("there is no work %s", uid)
}

// Settle gives conditions to all works that have none yet, as their clusters do in the end.
func (f *Fleet) Settle() {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, works := range f.works {
		for _, work := range works {
			if len(work.Conditions) == 0 {
				work.Conditions = f.conditions("")
			}
		}
	}
}

// conditions are those of a work that is applied, with the named type in the last place; "" means Available. The
// caller holds the lock.
func (f *Fleet) conditions(last string) []OCMCondition {
	at := OCMTime{f.now()}
	applied := OCMCondition{"Applied", "True", 1, at, "AppliedManifestWorkComplete", "Apply manifest work complete"}
	available := OCMCondition{"Available", "True", 1, at, "ResourcesAvailable", "All resources are available"}
	switch last {
	case "Applied":
		return []OCMCondition{available, applied}
	case "", "Available":
		return []OCMCondition{applied, available}
	}
	return []OCMCondition{applied, {last, "True", 1, at, "ManifestWork" + last, "set by the test's script"}}
}

// errNotFound is what the API server says of a name that is not there.
var errNotFound = errors.New("manifestworks.work.open-cluster-management.io not found")

// create makes a work whose name begins as given. An unknown cluster is an error: there is no such namespace. The
// caller holds the lock.
func (f *Fleet) create(w Work) (*Work, error) {
	if _, known := f.works[w.Cluster]; !known {
		return nil, fmt.Errorf("namespaces %q not found", w.Cluster)
	}
	w.UID, w.Name = NewUUID(), generateName(w.Name)
	f.works[w.Cluster] = append(f.works[w.Cluster], &w)
	return &w, nil
}

// make is create with the lock.
func (f *Fleet) make(w Work) (*Work, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.create(w)
}

// get finds a work by its name. The caller holds the lock.
func (f *Fleet) get(cluster, name string) (*Work, error) {
	if at := slices.IndexFunc(f.works[cluster], func(w *Work) bool { return w.Name == name }); at >= 0 {
		return f.works[cluster][at], nil
	}
	return nil, errNotFound
}

// remove takes a work away by its name. The caller holds the lock.
func (f *Fleet) remove(cluster, name string) error {
	if _, err := f.get(cluster, name); err != nil {
		return err
	}
	f.works[cluster] = slices.DeleteFunc(f.works[cluster], func(w *Work) bool { return w.Name == name })
	return nil
}

func (w *Work) copied() Work {
	c := *w
	c.Manifests, c.Conditions, c.Annotations = slices.Clone(w.Manifests), slices.Clone(w.Conditions), maps.Clone(w.Annotations)
	return c
}

// Of Kubernetes' generated names: what is kept of the given beginning, how long the random end is, and of what.
const (
	mostOfGivenName = 58
	randomEnd       = 5
	nameAlphabet    = "bcdfghjklmnpqrstvwxz2456789"
)

// generateName adds a random end; a long beginning is cut first, with the hyphen at its end.
func generateName(begin string) string {
	name := []byte(begin[:min(len(begin), mostOfGivenName)])
	for _, b := range random(randomEnd) {
		name = append(name, nameAlphabet[int(b)%len(nameAlphabet)])
	}
	return string(name)
}

// NewUUID is a random one, as the UIDs of Kubernetes are.
func NewUUID() string {
	b := random(16)
	b[6], b[8] = b[6]&0x0f|0x40, b[8]&0x3f|0x80
	return fmt.Sprintf("%x-%x-%x-%x-%x", b[:4], b[4:6], b[6:8], b[8:10], b[10:])
}

func random(n int) []byte {
	b := make([]byte, n)
	_, _ = rand.Read(b) // it never fails: the runtime ends the process first
	return b
}
