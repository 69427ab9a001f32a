/** `mcp.call`: what a call through the gateway adds to the same call at the server, one at a time, plain and masked, journal in RAM and on disk. */
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { Agent, request } from 'node:http';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { startGateway } from '#test/support/gateway';
import type { BenchOptions } from './options.ts';
import { quantile } from './pgbench.ts';

const VERSION = '2026-07-28';
const NOBODY = { host: '127.0.0.1', port: 1, user: 'nobody', password: 'none', database: 'none' };

export async function benchMcp({ only, seconds, rounds, journals, report }: BenchOptions): Promise<void> {
  const wanted = (['plain', 'masked'] as const).filter((form) => only.test(`mcp.call.${form}`));
  if (wanted.length === 0) return;
  const upstream = fork(join(dirname(fileURLToPath(import.meta.url)), 'mcp-upstream.ts'));
  const [port] = (await once(upstream, 'message')) as [number];
  const server = `http://127.0.0.1:${port}/mcp`;
  for (const journal of ['ram', 'disk'] as const) {
    for (const form of wanted) {
      const dir = mkdtempSync(join(tmpdir(), 'interlock-bench-mcp-'));
      const kept = mkdtempSync(join(journals[journal], 'interlock-bench-journal-'));
      const gateway = await startGateway({
        upstream: NOBODY,
        policies: { dir: policies(dir, form === 'masked') },
        dir,
        config: configOf(server, kept),
      });
      try {
        await gateway.interlock('mcp', 'pin', 'tools');
        const url = `http://${gateway.ready.targets['tools']?.address ?? ''}/mcp/tools`;
        const token = await gateway.token({ login: 'bench' });
        await pinned(url, token);
        for (let round = 0; round < rounds; round++) {
          const direct = await measured(server, null, seconds);
          const before = cpuOf(gateway.process.pid ?? 0);
          const through = await measured(url, token, seconds);
          const cpu_us_per_op = (cpuOf(gateway.process.pid ?? 0) - before) / (through.length + WARM);
          const times = { p50_us: quantile(through, 0.5), p99_us: quantile(through, 0.99) };
          const added = { added_p50_us: times.p50_us - quantile(direct, 0.5), added_p99_us: times.p99_us - quantile(direct, 0.99) };
          report({
            name: `mcp.call.${form}`,
            subject: 'interlock',
            journal,
            round,
            ...times,
            ...added,
            direct_p50_us: quantile(direct, 0.5),
            cpu_us_per_op,
            calls: through.length,
          });
        }
      } finally {
        await gateway.stop();
        for (const folder of [dir, kept]) rmSync(folder, { recursive: true, force: true });
      }
    }
  }
  upstream.disconnect();
}

/** Calls before it is measured: until whatever is compiled while it runs is. */
const WARM = 2_000;
const TICK_US = 10_000;

/** User and system time so far, µs. */
function cpuOf(pid: number): number {
  const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1]?.split(' ') ?? [];
  return (Number(fields[11]) + Number(fields[12])) * TICK_US;
}

function configOf(server: string, journal: string): object {
  return {
    targets: { tools: { protocol: 'mcp', listen: '127.0.0.1:0', env: 'bench', mcp: { url: server } } },
    journal: { dir: join(journal, 'journal') },
  };
}

function policies(dir: string, masks: boolean): string {
  const folder = join(dir, 'policies');
  mkdirSync(join(folder, 'bench'), { recursive: true });
  const mask = 'mask contains {"code": "PII", "reason": "masked", "paths": ["$..ssn"], "using": "redact"} if input.action.name == "mcp.call"\n';
  const head = 'package policies.bench.tools\n\nallow contains {"code": "OK", "reason": "bench"} if input.resource.type == "mcp"\n';
  writeFileSync(join(folder, 'bench', 'tools.rego'), `${head}${masks ? mask : ''}`);
  return folder;
}

/** The gateway looks at its file of pins twice a second. */
async function pinned(url: string, token: string): Promise<void> {
  const agent = new Agent({ keepAlive: true });
  while ((await call(agent, url, token)).includes('TOOL_UNKNOWN'));
  agent.destroy();
}

/** Durations, µs. */
async function measured(url: string, token: string | null, seconds: number): Promise<Float64Array> {
  const agent = new Agent({ keepAlive: true, maxSockets: 1 });
  for (let warm = 0; warm < WARM; warm++) await call(agent, url, token);
  const times: number[] = [];
  const end = performance.now() + seconds * 1000;
  while (performance.now() < end) {
    const started = performance.now();
    const text = await call(agent, url, token);
    times.push((performance.now() - started) * 1000);
    if (!text.includes('"result"')) throw new Error(`a call failed: ${text}`);
  }
  agent.destroy();
  return Float64Array.from(times).toSorted();
}

function call(agent: Agent, url: string, token: string | null): Promise<string> {
  const _meta = { 'io.modelcontextprotocol/protocolVersion': VERSION, 'io.modelcontextprotocol/clientCapabilities': {} };
  const params = { name: 'search', arguments: { q: 'what is there' }, _meta };
  const body = JSON.stringify({ jsonrpc: '2.0', id: 1, method: 'tools/call', params });
  const headers = {
    'content-type': 'application/json',
    'content-length': Buffer.byteLength(body),
    accept: 'application/json, text/event-stream',
    'mcp-protocol-version': VERSION,
    'mcp-method': 'tools/call',
    'mcp-name': 'search',
    ...(token === null ? {} : { authorization: `Bearer ${token}` }),
  };
  return new Promise((resolve, reject) => {
    const sent = request(url, { method: 'POST', agent, headers }, (response) => {
      const chunks: Buffer[] = [];
      response.on('data', (chunk: Buffer) => chunks.push(chunk));
      response.on('end', () => resolve(Buffer.concat(chunks).toString()));
      response.on('error', reject);
    });
    sent.on('error', reject);
    sent.end(body);
  });
}
