package main

// promises is the store's own suite on both databases, or the part of it whose names begin like that.
func promises(name string) []catcher {
	return []catcher{{pkg: store, tests: "TestStoreKeepsItsPromises/" + name}}
}

func bugsOfRaces() []bug {
	return []bug{
		{
			"a claim reads and then writes: no lock, no version",
			[]edit{
				{dialectFile, `return q.For("UPDATE")`, `return q`},
				{dialectFile, `return q.For("UPDATE SKIP LOCKED")`, `return q`},
				{changesFile, `Where("job.id = _data.id AND job.version = _data.version")`, `Where("job.id = _data.id")`},
			},
			append(promises("one_of_fifty"), catcher{pkg: cases, tests: "TestProofClaimsAreLinearizable/postgres"}),
		},
		{
			"a lease that ran out is renewed",
			[]edit{{renewFile, `Where("job.state = 'PROGRESSING' AND job.lease_until > ?", now)`, `Where("job.state = 'PROGRESSING' AND job.lease_until IS NOT NULL")`}},
			promises("renewal"),
		},
		{
			"an expiry is written over whatever happened since it was seen",
			[]edit{
				{pickFile, `q = within(leaseOver(q, w.now), "job", which.Scope)
			return w.store.dialect.lockFree(q.`, `q = within(leaseOver(q, w.now), "job", which.Scope)
			return (q.`},
				{changesFile, `Where("job.id = _data.id AND job.version = _data.version")`, `Where("job.id = _data.id")`},
			},
			[]catcher{{pkg: server, tests: "TestProofExpiryUndoesNoReport/PostgreSQL", long: true}},
		},
		{
			"every replica that comes back pardons the leases",
			[]edit{{vitalsFile, `"UPDATE vitals SET ? = ? WHERE id = 1 AND ? = ?", name, next, name, seen)`, `"UPDATE vitals SET ? = ? WHERE id = 1", name, next)`}},
			promises("one_of_many_replicas"),
		},
		{
			"an incompliance that comes again is remedied again",
			[]edit{
				{incomplianceCase, `	if earlier, err := s.incompliance(ctx, p, report.ID); err != nil || earlier != nil {
		return &ReportIncompliancePayload{earlier}, err
	}
`, ``},
				{reportsFile, `w.tx.NewInsert().Model(&row).Exec(ctx)`, `w.tx.NewInsert().Model(&row).On("CONFLICT DO NOTHING").Exec(ctx)`},
			},
			promises("an_incompliance_is_recorded_once"),
		},
	}
}

func bugsOfTheLog() []bug {
	killed := []catcher{{pkg: server, tests: "TestProofKilledServerLosesNothingAcknowledged/SQLite", long: true}}
	return []bug{
		{
			"events are written after the commit of the change",
			[]edit{{writeFile, `	newest, err := w.writeEvents(ctx)
	if err != nil {
		return 0, err
	}
	return newest, tx.Commit()`, `	if err := tx.Commit(); err != nil {
		return 0, err
	}
	if w.tx, err = s.write.BeginTx(ctx, nil); err != nil {
		return 0, err
	}
	defer func() { _ = w.tx.Rollback() }()
	newest, err := w.writeEvents(ctx)
	if err != nil {
		return 0, err
	}
	return newest, w.tx.Commit()`}},
			killed,
		},
		{
			"revisions are taken before the commit, as from a serial column",
			[]edit{{writeFile, `err = w.tx.NewRaw("UPDATE counter`, `var serial bun.IDB = w.tx
	if w.store.dialect.kind == kindPostgres {
		serial = w.store.write // SQLite has one writer, which is this transaction
	}
	err = serial.NewRaw("UPDATE counter`}},
			promises("revisions_are_dense"),
		},
		{
			"the counter is read first and written back",
			[]edit{{writeFile, `err = w.tx.NewRaw("UPDATE counter SET revision = revision + ? WHERE id = 1 RETURNING revision", len(rows)).Scan(ctx, &newest)
	if err != nil {`, `err = w.tx.NewRaw("SELECT revision + ? FROM counter WHERE id = 1", len(rows)).Scan(ctx, &newest)
	if err == nil {
		_, err = w.tx.NewRaw("UPDATE counter SET revision = ? WHERE id = 1", newest).Exec(ctx)
	}
	if err != nil {`}},
			promises("revisions_are_dense"),
		},
		{
			"notices to the Policy Manager are written after the commit",
			[]edit{
				{writeFile, `	answers []jobmanager.Remediation
}`, `	answers []jobmanager.Remediation
	late    func() error
}`},
				{writeFile, `return newest, w.writeNotices(ctx, notices, newest-jobmanager.Revision(len(rows)))`, `w.late = func() error { return w.writeNotices(ctx, notices, newest-jobmanager.Revision(len(rows))) }
	return newest, nil`},
				{writeFile, `return newest, tx.Commit()`, `if err := tx.Commit(); err != nil || w.late == nil {
		return newest, err
	}
	if w.tx, err = s.write.BeginTx(ctx, nil); err != nil {
		return 0, err
	}
	defer func() { _ = w.tx.Rollback() }()
	if err := w.late(); err != nil {
		return 0, err
	}
	return newest, w.tx.Commit()`},
			},
			[]catcher{{pkg: server, tests: "TestProofKilledServerOwesNoNotice/SQLite", long: true}},
		},
	}
}
