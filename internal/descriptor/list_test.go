package descriptor

import "testing"

func TestADocumentOfNothingButManifestsIsAListOfThem(t *testing.T) {
	t.Parallel()
	got := mustAccept(t, head+"---\nmanifests:\n- name: m\n  manifest:\n    # mine\n    apiVersion: v1\n    kind: Pod\n    metadata: {name: other}\n"+
		"# outside\n- services: {}\n  name: unused\n--- # a second list\nmanifests:\n  - apiVersion: v1\n    kind: Service\n    metadata: {name: m}\n---\nmanifests:\n- name: m\n  manifest: |\n    services: {}\n")
	diff(t, "manifests", []string{"web/m v1 Pod", "web/m v1 Service", "web/m"}, namesOf(got))
	diff(t, "text", "# mine\napiVersion: v1\nkind: Pod\nmetadata: {name: other}\n", got.Components[0].Manifests[0].Text)
}

func TestAMistakeInAListAfterTheHeaderHasItsPlace(t *testing.T) {
	t.Parallel()
	_, findings := New(DefaultLimits()).Parse(head + "---\n" + flush + "---\nmanifests:\n- name: a\n  manifest: {services: {}}\n- name: a\n  name: b\n  manifest: {services: {}}\n- x\n" +
		"---\nmanifests: no list\n")
	var got []string
	for _, finding := range briefs(findings) {
		if finding[:5] == "ERROR" {
			got = append(got, finding)
		}
	}
	diff(t, "findings", []string{
		"ERROR DUPLICATE_MANIFEST 16:9 documents[2].manifests[1].name",
		"ERROR DUPLICATE_KEY 17:3 documents[2].manifests[1].name",
		"ERROR WRONG_TYPE 19:3 documents[2].manifests[2]",
		"ERROR WRONG_TYPE 21:12 documents[3].manifests",
	}, got)
}

func TestAManifestWithMoreKeysThanManifestsIsNoList(t *testing.T) {
	t.Parallel()
	got := mustAccept(t, head+"---\n"+flush+"manifests: [a, b]\n")
	diff(t, "manifests", []string{"web/m v1 Pod"}, namesOf(got))
}
