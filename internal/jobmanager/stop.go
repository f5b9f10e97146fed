package jobmanager

import "time"

// Stop undeploys the job. What nothing stands of and nobody was handed is done at once; the rest becomes a
// Delete for its owner, or for the agent it was handed out to, with a new epoch, so that an attempt in
// flight is fenced. A job that is a Delete already stays as it is, but it does not come back afterwards.
// Whatever waited is dropped.
func (j *Job) Stop(now time.Time) []Event {
	if j.Type == DeleteDeployment {
		return j.stayAway(now)
	}
	events := j.dropAll("the job was stopped", now)
	former, owner := j.former(), j.formerOwner()
	held := j.Reservation.HeldAt(now)
	if held {
		owner = j.Reservation.OwnerID
	}
	gone := j.Workload == WorkloadNone && !held
	closed := j.begin(DeleteDeployment, "", "the group was stopped", now)
	j.Owner = owner
	message := "waiting for " + string(j.Owner) + " to remove it"
	if gone {
		j.hold("", "", now)
		message = "nothing of it stood on a target"
		j.Owner = ""
		j.enter(Finished, now)
	}
	event := j.event(JobStopped, former, now, message)
	event.Attempt = closed
	events = append(events, event)
	if gone {
		events = append(events, j.removeStray(now)...)
	}
	return events
}

// stayAway forgets that a component was to come back after its Delete.
func (j *Job) stayAway(now time.Time) []Event {
	if j.Sequel != SequelReturn {
		return nil
	}
	former := j.former()
	j.Sequel, j.Move = "", nil
	return []Event{j.event(JobStopped, former, now, "it does not come back after its Delete")}
}

// dropAll tells what waited for the job, and what it was about to remedy, that its turn will not come.
func (j *Job) dropAll(reason string, now time.Time) []Event {
	events := j.settleCause(RemediationDropped, reason, now)
	events = append(events, j.emptySlot(RemediationDropped, reason, now)...)
	j.Cooling = nil
	if j.Type != DeleteDeployment { // a Delete's move is where its component comes back
		j.Move = nil
	}
	return events
}

// Remove takes the job out of its group where nothing of it stands, or stops it first.
func (j *Job) Remove(now time.Time) []Event {
	if !j.standing(now) {
		return append(j.dropAll("its component left the descriptor", now), j.drop("its component left the descriptor", now))
	}
	events := j.Stop(now)
	former := j.former()
	if j.Sequel == SequelLeave {
		return events
	}
	j.Sequel = SequelLeave
	return append(events, j.event(JobUpdated, former, now, j.Component+" leaves the application once it is removed"))
}

// standing says whether something of the job may stand on a target, or be about to.
func (j *Job) standing(now time.Time) bool {
	return j.Workload != WorkloadNone || j.strayed() || j.Reservation.HeldAt(now) || j.Type == DeleteDeployment && j.State != Finished
}
