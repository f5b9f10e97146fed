package oldclient

import (
	"fmt"
	"slices"
	"strings"
)

// nuvlaSeparator stands between the manifests of the jobs of one application.
const nuvlaSeparator = "\r\n---\r\n"

// nuvlaApplication is the jobs of one group: of all but the first only the manifests are kept.
type nuvlaApplication struct {
	group string
	ids   []string
	first map[string]any
}

// nuvlaMerge groups the jobs as the agent does. What its language would raise for a job is an error: a missing id, or
// a missing manifest where two are joined. Keys are looked up in their exact spelling.
func nuvlaMerge(jobs []map[string]any) ([]*nuvlaApplication, error) {
	var all []*nuvlaApplication
	for _, job := range jobs {
		group, _ := job["job_group_id"].(string) // none is a group too
		id, err := nuvlaText(job, "ID")
		if err != nil {
			return nil, err
		}
		at := slices.IndexFunc(all, func(a *nuvlaApplication) bool { return a.group == group })
		if at < 0 {
			all = append(all, &nuvlaApplication{group: group, ids: []string{id}, first: job})
			continue
		}
		if err := all[at].join(id, job); err != nil {
			return nil, err
		}
	}
	return all, nil
}

// join adds a job's manifest; a job that is listed twice is joined once.
func (a *nuvlaApplication) join(id string, job map[string]any) error {
	if slices.Contains(a.ids, id) {
		return nil
	}
	before, err := nuvlaText(a.first, "manifest")
	if err != nil {
		return err
	}
	next, err := nuvlaText(job, "manifest")
	if err != nil {
		return err
	}
	a.ids = append(a.ids, id)
	a.first["manifest"] = before + nuvlaSeparator + next
	return nil
}

// launches are what the agent makes of an application: one for each target that is Nuvla's, none when there is none
// or another orchestrator is meant.
func (a *nuvlaApplication) launches() ([]NuvlaLaunch, error) {
	if a.first["orchestrator"] != "nuvla" {
		return nil, nil
	}
	targets, err := a.targets()
	if err != nil || len(targets) == 0 {
		return nil, err
	}
	manifest, err := nuvlaText(a.first, "manifest")
	if err != nil {
		return nil, err
	}
	name, err := nuvlaText(a.first, "job_group_name")
	if err != nil {
		return nil, err
	}
	var all []NuvlaLaunch
	for _, target := range targets {
		all = append(all, NuvlaLaunch{Application: name, GroupID: a.group, JobIDs: a.ids, Manifest: manifest, Target: target})
	}
	return all, nil
}

// targets are the names of Nuvla's clusters among the application's targets, each once.
func (a *nuvlaApplication) targets() ([]string, error) {
	value, present := a.first["targets"]
	list, ok := value.([]any)
	switch {
	case !present:
		return nil, nil
	case !ok:
		return nil, fmt.Errorf("targets are no list: %v", value)
	}
	var names []string
	for _, each := range list {
		target, ok := each.(map[string]any)
		if !ok {
			return nil, fmt.Errorf("a target is no object: %v", each)
		}
		if _, named := target["cluster_name"]; !named {
			continue
		}
		name, err := nuvlaText(target, "cluster_name")
		if err != nil {
			return nil, err
		}
		nuvla := strings.HasPrefix(name, "nuvlabox/") || strings.HasPrefix(name, "infrastructure-service/")
		if nuvla && !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	return names, nil
}

// nuvlaText is a text under a key; an error when the key is missing or holds something else.
func nuvlaText(from map[string]any, key string) (string, error) {
	text, ok := from[key].(string)
	if !ok {
		return "", fmt.Errorf("there is no text under the key %s: %v", key, from[key])
	}
	return text, nil
}
