package storetest

import (
	"fmt"
	"reflect"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/icos-jobmanager/jobmanager/internal/jobmanager"
)

// filler gives every field of a value something of its own, so that one that is not kept is missed.
type filler struct {
	base  time.Time
	count int
}

// fill fills what an event's JSON carries; what that leaves out is not kept either.
func (f *filler) fill(v reflect.Value) {
	f.count++
	switch known := v.Addr().Interface().(type) {
	case *time.Time:
		*known = f.base.Add(time.Duration(f.count) * time.Microsecond)
		return
	case *time.Duration:
		*known = time.Duration(f.count) * time.Second
		return
	case *jobmanager.ID:
		*known = newID()
		return
	case *jobmanager.Value:
		*known = jobmanager.Value(fmt.Sprintf(`{"b":%d.50,"a":"<&>"}`, f.count))
		return
	}
	switch v.Kind() {
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		f.fill(v.Elem())
	case reflect.Slice:
		v.Set(reflect.MakeSlice(v.Type(), 1, 1))
		f.fill(v.Index(0))
	case reflect.Struct:
		for i := range v.NumField() {
			if v.Type().Field(i).Tag.Get("json") != "-" {
				f.fill(v.Field(i))
			}
		}
	case reflect.String:
		v.SetString(fmt.Sprintf("text %d", f.count))
	case reflect.Bool:
		v.SetBool(true)
	default:
		v.SetInt(int64(f.count)) // it panics, and so fails the test, for a kind that no field had so far
	}
}

// wholeJob is a job in which everything is set. What never changes is that of another one.
func (b *bench) wholeJob(like *jobmanager.Job) *jobmanager.Job {
	b.t.Helper()
	var j jobmanager.Job
	f := filler{base: b.clock.Now()}
	f.fill(reflect.ValueOf(&j).Elem())
	j.ID, j.Tenant, j.GroupID, j.Component, j.CreatedAt = like.ID, like.Tenant, like.GroupID, like.Component, like.CreatedAt
	j.Lease.OwnerID, j.Lease.Epoch = j.Last.OwnerID, j.Last.Epoch // a lease is that of the newest attempt
	j.Resource.JobID = j.ID
	return &j
}

func testEveryField(t *testing.T, b *bench) {
	group := b.MustCreate("whole", 1)
	bare := func(id jobmanager.ID) *jobmanager.Job {
		t.Helper()
		job, err := b.Job(t.Context(), everything(), id, jobmanager.JobLoad{})
		b.must(err)
		return job
	}
	want := b.wholeJob(group.Jobs[0])
	updated := b.MustUpdate(func(j *jobmanager.Job, _ time.Time) ([]jobmanager.Event, error) {
		version := j.Version
		*j = *want
		j.Version = version
		return nil, nil
	}, group.Jobs...)[0]
	same(t, bare(want.ID), want, cmpopts.IgnoreFields(jobmanager.Job{}, "Version"))
	same(t, bare(want.ID), updated)
	if updated.Version != 2 {
		t.Errorf("the version is %d after one change", updated.Version)
	}
	added := *group.Jobs[0]
	added.ID, added.Component = newID(), "added"
	want = b.wholeJob(&added)
	want.Version = 0
	b.mustChange(group.ID, func(g *jobmanager.JobGroup, _ time.Time) ([]jobmanager.Event, error) {
		fresh := *want
		g.Jobs = append(g.Jobs, &fresh)
		return nil, nil
	})
	want.Version = 1
	same(t, bare(want.ID), want)
}

func testEveryFieldOfIncompliances(t *testing.T, b *bench) {
	var want jobmanager.Incompliance
	f := filler{base: b.clock.Now()}
	f.fill(reflect.ValueOf(&want).Elem())
	want.Tenant = jobmanager.DefaultTenant
	b.must(b.RecordIncompliance(t.Context(), everything(), "polman", &want, b.remedy(&want)))
	same(t, b.mustIncompliance(want.ID), &want)
	event := b.MustEvents(0)[0]
	same(t, event.Incompliance, &want)
	if event.GroupID != "" || event.JobID != "" || event.Actor != "polman" || event.Type != jobmanager.IncomplianceReported {
		t.Errorf("an incompliance about nothing was told as %s by %s, group %q", event.Type, event.Actor, event.GroupID)
	}
}
