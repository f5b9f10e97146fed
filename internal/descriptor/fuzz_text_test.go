package descriptor

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/icos-jobmanager/jobmanager/internal/jobmanager"
)

// checkComplete holds Complete to what it promises, whatever the texts were.
func checkComplete(t testing.TB, body, former string) {
	t.Helper()
	parser := New(fuzzLimits())
	whole := parser.Complete(body, former)
	if !strings.HasPrefix(whole, body) {
		t.Fatalf("the body does not come first in\n%q", whole)
	}
	checkAnswer(t, fuzzLimits(), whole)
	if whole == body {
		return
	}
	// What the body says is the same, but for the line end that it may have got.
	alone, _ := parser.Parse(joint(body))
	was, _ := parser.Parse(former)
	got, findings := parser.Parse(whole)
	if len(jobmanager.Refusals(findings)) > 0 {
		return
	}
	for i, part := range got.Components {
		for _, name := range part.References {
			want := named(name, alone.Components[i].Manifests)
			if len(want) == 0 {
				want = referred(name, was)
			}
			if difference := cmp.Diff(want, named(name, part.Manifests)); difference != "" {
				t.Errorf("%q of %q (-want +got):\n%s\nin %q", name, part.Name, difference, whole)
			}
		}
	}
}

// referred are the manifests that any component gets by a name: all get the same.
func referred(name string, was jobmanager.Descriptor) []jobmanager.Manifest {
	for _, part := range was.Components {
		if found := named(name, part.Manifests); len(found) > 0 {
			return found
		}
	}
	return nil
}

func FuzzComplete(f *testing.F) {
	for _, text := range seedFiles(f) {
		f.Add(headerOf(text), text)
		f.Add(jsonOf(f, headerOf(text)), strings.ReplaceAll(text, "\n", "\r\n"))
		f.Add(text, text)
	}
	f.Add(head, head+"manifests:\n- name: m\n  manifest: |2+\n\n     apiVersion: v1\n\n...\n%YAML 1.2\n---\nmanifests: [{name: m, manifest: \"kind: \\u2028\"}]\n")
	f.Add(head+"description: |\n  x", head+"manifests: [{name: m, manifest: {services: *x}}]\nx: &x {}")
	f.Fuzz(func(t *testing.T, body, former string) { checkComplete(t, body, former) })
}

// checkReplace holds Replace to what it promises, whatever the texts were.
func checkReplace(t testing.TB, text, component string, manifests []string) {
	t.Helper()
	parser := New(fuzzLimits())
	was, findings := parser.Parse(text)
	asked := map[string][]string{component: manifests}
	result, err := parser.Replace(text, asked)
	if err != nil {
		var ours *jobmanager.Error
		if !errors.As(err, &ours) || ours.Code != jobmanager.CodeInvalid && ours.Code != jobmanager.CodeTooLarge || result != "" {
			t.Fatalf("not our error: %v (%q)", err, result)
		}
		return
	}
	got, refused := parser.Parse(result)
	if len(jobmanager.Refusals(findings)) > 0 || len(jobmanager.Refusals(refused)) > 0 {
		t.Fatalf("refused (%+v), but not by Replace:\n%q", refused, result)
	}
	if texts := textsOf(got, component); !slices.Equal(texts, manifests) {
		t.Errorf("other texts %q in\n%q", texts, result)
	}
	for i, part := range was.Components {
		if part.Name == component {
			continue
		}
		if difference := cmp.Diff(part, got.Components[i]); difference != "" {
			t.Errorf("another component changed (-was +is):\n%s", difference)
		}
	}
	if again, err := parser.Replace(result, asked); err != nil || again != result {
		t.Errorf("once more it is another text: %v\n%q\n%q", err, result, again)
	}
}

func FuzzReplace(f *testing.F) {
	for _, text := range seedFiles(f) {
		f.Add(text, "camera", pod("new"), "services: {}")
		f.Add(text, "wall", pod("camera"), pod("wall"))
		f.Add(jsonOf(f, headerOf(text)), "frontend", "%YAML 1.2\n---\nservices: {}", "services: |+\n  x\n\n\r\n")
	}
	f.Add("<<: &x {name: a, components: [&y {name: b, manifests: [m]}, {<<: *y, name: c}]}\nmanifests: &z [{name: m, manifest: {services: 1}}]\nrequirements: *z\n", "b", "\uFEFFservices: 1", "  services: 2")
	f.Fuzz(func(t *testing.T, text, component, one, two string) {
		checkReplace(t, text, component, []string{one, two})
		checkReplace(t, text, component, []string{one})
	})
}
