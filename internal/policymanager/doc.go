// Package policymanager tells the ICOS Policy Manager over HTTP which applications there are, so that it watches
// their policies. It speaks the lifecycle events of version 0.3.1 (CONTRACT.md 4.2); what is broken comes back to
// the callback that a created announces.
//
// It tries nothing twice and puts nothing in order: the service does, out of the notices that the store keeps.
// Start at Client.Notify.
package policymanager
