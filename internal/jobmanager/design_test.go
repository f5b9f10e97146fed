package jobmanager_test

import (
	"strings"
	"testing"
)

// TestForgottenCellsComeOutAsDesigned is DESIGN.md's table of the cells that are easily forgotten, in its order. Each
// cell is how what became of the job begins; "-" is a success that changes nothing.
func TestForgottenCellsComeOutAsDesigned(t *testing.T) {
	t.Parallel()
	columns := []string{"stop", "start", "manifests changed", "component removed", "scale-up", "delete group"}
	const gone, allowed, refused, standing = "gone: JOB_DELETED", "JOB_GROUP_DELETED", "REFUSED", "GROUP_NOT_STOPPED"
	const asStop = "delete/created, W present, owner a, epoch+1, generation+1, "
	rows := []struct {
		situations string // one or more, that come out the same
		cells      [6]string
	}{
		{"create/created", [6]string{
			"delete/finished, W none", "-", "create/created, W none, epoch+1, generation+1, 2 manifests", gone, refused, allowed,
		}},
		{"create/created, handed out to b", [6]string{
			"delete/created, W none, owner b, epoch+1", "-", "create/created, W none, handed out to b, 2 manifests, outdated",
			"delete/created, W none, owner b, epoch+1, generation+1, then leave", refused, standing,
		}},
		{"create/progressing", [6]string{
			"delete/created, W maybe, owner a, epoch+1", "-", "create/progressing, W maybe, owner a, 2 manifests, outdated",
			"delete/created, W maybe, owner a, epoch+1, generation+1, attempts 0, then leave", "create/progressing, W maybe, owner a, queued", standing,
		}},
		{"create/degraded, nothing stands", [6]string{
			"delete/finished, W none", "-", "create/created, W none, epoch+1, generation+1, attempts 0, 2 manifests", gone, refused, allowed,
		}},
		{"create/degraded", [6]string{
			"delete/created, W maybe, owner a, epoch+1", "-", "create/created, W maybe, epoch+1, generation+1, attempts 0, first owner, 2 manifests",
			"delete/created, W maybe, owner a, epoch+1, generation+1, attempts 0, then leave", refused, standing,
		}},
		{"create/finished; update/finished; replace/finished", [6]string{
			asStop, "-", "replace/created, W present, owner a, epoch+1", asStop + "attempts 0, then leave",
			"update scale-up/created, W present, owner a, epoch+1", standing,
		}},
		{"update/created", [6]string{
			asStop[:len(asStop)-2], "-", "replace/created, W present, owner a, epoch+1, generation+1, 2 manifests: REMEDIATION_CHANGED(SUPERSEDED)",
			asStop + "then leave", "update scale-up/created, W present, owner a, epoch+1, generation+1: REMEDIATION_CHANGED(SUPERSEDED)", standing,
		}},
		{"update/degraded", [6]string{
			asStop, "-", "replace/created, W present, owner a, epoch+1, generation+1, attempts 0, 2 manifests: REMEDIATION_CHANGED(SUPERSEDED)",
			asStop + "attempts 0, then leave", "update scale-up/created, W present, owner a, epoch+1, generation+1, attempts 0: REMEDIATION_CHANGED(SUPERSEDED)", standing,
		}},
		// A remediation never takes the place of manifests that are yet to be applied: the newest of them waits.
		{"replace/created", [6]string{
			asStop[:len(asStop)-2], "-", "replace/created, W present, owner a, epoch+1", asStop + "then leave",
			"replace/created, W present, owner a, queued", standing,
		}},
		{"replace/created, queued", [6]string{
			asStop[:len(asStop)-2], "-", "replace/created, W present, owner a, epoch+1", asStop + "then leave",
			"replace/created, W present, owner a, queued: REMEDIATION_CHANGED(SUPERSEDED)", standing,
		}},
		{"replace/degraded", [6]string{
			asStop, "-", "replace/created, W present, owner a, epoch+1", asStop + "attempts 0, then leave", "replace/degraded, W present, owner a, queued", standing,
		}},
		{"update/progressing", [6]string{
			asStop, "-", "update scale-up/progressing, W present, owner a, 2 manifests, outdated", asStop + "attempts 0, then leave",
			"update scale-up/progressing, W present, owner a, queued: REMEDIATION_CHANGED(WAITING)", standing,
		}},
		{"update/progressing, queued", [6]string{
			asStop, "-", "update scale-up/progressing, W present, owner a, 2 manifests, outdated, queued", asStop + "attempts 0, then leave",
			"update scale-up/progressing, W present, owner a, queued: REMEDIATION_CHANGED(SUPERSEDED) REMEDIATION_CHANGED(WAITING)", standing,
		}},
		{"replace/progressing", [6]string{
			asStop, "-", "replace/progressing, W present, owner a, 2 manifests, outdated", asStop + "attempts 0, then leave",
			"replace/progressing, W present, owner a, queued: REMEDIATION_CHANGED(WAITING)", standing,
		}},
		{"delete/created; delete/progressing; delete/degraded", [6]string{"-", standing, "-", "-", refused, standing}},
		{"delete/finished", [6]string{"-", "create/created, W none, epoch+1, generation+1", "-", gone, refused, allowed}},
	}
	situationOf, verbOf := map[string]situation{}, map[string]verb{}
	for _, situation := range situations() {
		situationOf[situation.name] = situation
	}
	for _, verb := range verbs() {
		verbOf[verb.name] = verb
	}
	for _, row := range rows {
		for name := range strings.SplitSeq(row.situations, "; ") {
			situation, known := situationOf[name]
			if !known {
				t.Errorf("there is no situation %q", name)
				continue
			}
			for i, want := range row.cells {
				got := played(situation, verbOf[columns[i]]).String()
				if !strings.HasPrefix(got, want) || want == "-" && got != want {
					t.Errorf("%s, %s: %s, want %s", name, columns[i], got, want)
				}
			}
		}
	}
}
