// An agent and a dashboard as the reference client of graphql-transport-ws would be them.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { createClient } from 'graphql-ws';
import WebSocket from 'ws';
import { call, startServer } from './server.js';

const descriptor = `
name: conformance
description: two small components
components:
- name: front
  type: kubernetes
  manifests: [{name: front}]
- name: back
  type: kubernetes
  manifests: [{name: back}]
manifests:
- name: front
  manifest: # kept as written
    apiVersion: v1
    kind: Pod
    metadata:
      name: front   # a comment
- name: back
  manifest:
    apiVersion: v1
    kind: Pod
    metadata:
      name: back
`;

const create = 'mutation($d: String!) { createJobGroup(input: {descriptor: $d}) { jobGroup { id } } }';
const executable = `subscription($owner: String!) { jobExecutable(orchestrator: "ocm", ownerId: $owner) {
  id component type manifests { text } } }`;

let server;
before(async () => { server = await startServer(); });
after(async () => { assert.equal(await server.stop(), 0, 'the server drains and exits with 0'); });

function connect(options = {}) {
  return createClient({ url: server.ws, webSocketImpl: WebSocket, lazy: false, retryAttempts: 0, onNonLazyError: () => {}, ...options });
}

test('an agent is woken, claims, renews, reports and finishes over one websocket', async () => {
  const client = connect();
  const offers = client.iterate({ query: executable, variables: { owner: 'hub-js' } });
  const { createJobGroup: { jobGroup } } = await call(server, create, { d: descriptor });

  for (const component of ['front', 'back']) {
    const { value } = await offers.next();
    assert.equal(value.errors, undefined);
    const job = value.data.jobExecutable;
    assert.equal(job.component, component);
    assert.match(job.manifests[0].text, /^apiVersion: v1\nkind: Pod\nmetadata:\n  name: /);
    const run = async (query, variables) => {
      const { value: answer } = await client.iterate({ query, variables }).next();
      assert.equal(answer.errors, undefined);
      return answer.data;
    };
    const { claimJob } = await run(
      'mutation($id: ID!) { claimJob(input: {jobId: $id, orchestrator: "ocm", ownerId: "hub-js"}) { job { epoch state } } }', { id: job.id });
    assert.equal(claimJob.job.state, 'PROGRESSING');
    const { renewLeases } = await run(
      'mutation($id: ID!, $e: Int!) { renewLeases(input: {ownerId: "hub-js", leases: [{jobId: $id, epoch: $e}]}) { results { code lease { expiresAt } } } }',
      { id: job.id, e: claimJob.job.epoch });
    assert.equal(renewLeases.results[0].code, null);
    const { finishJob } = await run(
      `mutation($id: ID!, $e: Int!) { finishJob(input: {jobId: $id, ownerId: "hub-js", epoch: $e,
        resource: {uid: "u-1", conditions: [{type: "Available", status: TRUE}]}}) { job { state } } }`,
      { id: job.id, e: claimJob.job.epoch });
    assert.equal(finishJob.job.state, 'FINISHED');
  }
  const { jobGroup: group } = await call(server, 'query($id: ID!) { jobGroup(id: $id) { phase } }', { id: jobGroup.id });
  assert.equal(group.phase, 'RUNNING');
  await offers.return();
  await client.dispose();
});

test('a dashboard gets the snapshot, a bookmark, and then each change', async () => {
  const client = connect();
  const changes = client.iterate({ query: 'subscription { jobGroupChanged { kind cursor jobGroup { name phase } } }' });
  const next = async () => (await changes.next()).value.data.jobGroupChanged;
  assert.deepEqual({ ...(await next()), cursor: undefined }, { kind: 'SNAPSHOT', cursor: undefined, jobGroup: { name: 'conformance', phase: 'RUNNING' } });
  const bookmark = await next();
  assert.equal(bookmark.kind, 'BOOKMARK');
  await call(server, create, { d: descriptor.replace('name: conformance', 'name: second') });
  assert.equal((await next()).kind, 'ENTERED');
  await changes.return();

  const resumed = client.iterate({ query: `subscription { jobGroupChanged(after: "${bookmark.cursor}") { kind jobGroup { name } } }` });
  const { value } = await resumed.next();
  assert.deepEqual(value.data.jobGroupChanged, { kind: 'ENTERED', jobGroup: { name: 'second' } });
  await resumed.return();
  await client.dispose();
});

test('a refused subscription is answered with a typed error', async () => {
  const client = connect();
  const refused = client.iterate({ query: executable, variables: { owner: '' } });
  await assert.rejects(refused.next(), (errors) => {
    assert.equal(errors[0].extensions.code, 'INVALID');
    return true;
  });
  await client.dispose();
});

test('a server that drains closes with 1012, which the client comes back after', async () => {
  const draining = await startServer();
  const closed = Promise.withResolvers?.() ?? deferred();
  const client = createClient({
    url: draining.ws, webSocketImpl: WebSocket, lazy: false, retryAttempts: 0, onNonLazyError: () => {},
    on: { closed: (event) => closed.resolve(event.code) },
  });
  const offers = client.iterate({ query: executable, variables: { owner: 'hub-drain' } });
  const ended = offers.next().catch(() => {});
  await call(draining, create, { d: descriptor });
  await ended;
  assert.equal(await draining.stop(), 0);
  assert.equal(await closed.promise, 1012);
  await client.dispose();
});

// Promise.withResolvers is not in every Node.js that Debian has.
function deferred() {
  const d = {};
  d.promise = new Promise((resolve, reject) => Object.assign(d, { resolve, reject }));
  return d;
}
