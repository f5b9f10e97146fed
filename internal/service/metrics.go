package service

import "github.com/prometheus/client_golang/prometheus"

// Metrics count what an operator should hear of.
type Metrics struct {
	LeasesExpired  prometheus.Counter
	LeasesPardoned prometheus.Counter
	TakeoverPauses prometheus.Counter
	NoticesGivenUp prometheus.Counter
}

// NewMetrics makes the counters and registers them; registering twice with one registry is an error.
func NewMetrics(registry prometheus.Registerer) (*Metrics, error) {
	counter := func(name, help string) prometheus.Counter {
		return prometheus.NewCounter(prometheus.CounterOpts{Namespace: "jobmanager", Name: name, Help: help})
	}
	m := &Metrics{
		LeasesExpired:  counter("leases_expired_total", "Leases that ran out without a report."),
		LeasesPardoned: counter("leases_pardoned_total", "Leases that got their full length anew after the server was away."),
		TakeoverPauses: counter("takeover_pauses_total", "Pauses of takeover because too many agents fell silent at once."),
		NoticesGivenUp: counter("policy_manager_notices_given_up_total", "Notices to the Policy Manager that were given up."),
	}
	for _, c := range []prometheus.Collector{m.LeasesExpired, m.LeasesPardoned, m.TakeoverPauses, m.NoticesGivenUp} {
		if err := registry.Register(c); err != nil {
			return nil, err
		}
	}
	return m, nil
}
