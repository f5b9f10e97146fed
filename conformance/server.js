// Starts the built binary on a free port with a database of its own, and stops it as an operator would.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';

const binary = path.resolve(import.meta.dirname, '../bin/jobmanager');

async function freePort() {
  const probe = createServer().listen(0, '127.0.0.1');
  await once(probe, 'listening');
  const { port } = probe.address();
  probe.close();
  await once(probe, 'close');
  return port;
}

export async function startServer() {
  const dir = await mkdtemp(path.join(tmpdir(), 'jobmanager-conformance-'));
  const port = await freePort();
  const child = spawn(binary, ['serve'], {
    env: {
      ...process.env, SERVER_PORT: String(port), LISTEN_HOST: '127.0.0.1', LOG_LEVEL: 'warn',
      DATABASE_URL: `sqlite://${path.join(dir, 'jobmanager.db')}`,
    },
    stdio: 'inherit',
  });
  const exited = once(child, 'exit');
  const url = `http://127.0.0.1:${port}`;
  for (let tries = 0; ; tries++) {
    const answer = await fetch(`${url}/readyz`).catch(() => undefined);
    if (answer?.ok) break;
    if (tries > 400 || child.exitCode !== null) throw new Error('the server did not become ready');
    await wait(25);
  }
  return {
    http: `${url}/graphql`,
    ws: `ws://127.0.0.1:${port}/graphql`,
    // Ends the server with SIGTERM and gives its exit code.
    async stop() {
      child.kill('SIGTERM');
      const [code] = await exited;
      await rm(dir, { recursive: true });
      return code;
    },
  };
}

// Sends one operation over HTTP and gives its data; errors of the API are thrown.
export async function call(server, query, variables) {
  const answer = await fetch(server.http, {
    method: 'POST',
    headers: { 'Content-Type': 'application/json' },
    body: JSON.stringify({ query, variables }),
  });
  const { data, errors } = await answer.json();
  if (errors) throw new Error(JSON.stringify(errors));
  return data;
}
