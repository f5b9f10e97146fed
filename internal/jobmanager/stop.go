package jobmanager

import "time"

// Stop undeploys the job. What nothing stands of and nobody was handed is done at once; the rest becomes a
// Delete for its owner, or for the agent it was handed out to, with a new epoch, so that an attempt in
// flight is fenced. A job that is a Delete already stays as it is.
func (j *Job) Stop(now time.Time) []Event {
	if j.Type == DeleteDeployment {
		return nil
	}
	former := j.former()
	closed := j.closeAttempt(OutcomeStopped, "the group was stopped", now)
	if j.Reservation.HeldAt(now) && j.Owner == "" {
		j.Owner = j.Reservation.OwnerID
	}
	gone := j.Workload == WorkloadNone && !j.Reservation.HeldAt(now)
	j.Type, j.SubType = DeleteDeployment, ""
	j.Epoch++
	j.Generation++
	j.Attempt, j.NotBefore, j.Reservation = 0, time.Time{}, Reservation{}
	j.LastError, j.MatchTries = "", 0
	j.hold("", "", now)
	message := "waiting for " + string(j.Owner) + " to remove it"
	j.enter(Created, now)
	if gone {
		message = "nothing of it stood on a target"
		j.Owner = ""
		j.enter(Finished, now)
	}
	event := j.event(JobStopped, former, now, message)
	event.Attempt = closed
	return []Event{event}
}
