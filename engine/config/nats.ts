/** Section `nats`, resolved and checked. */
import { join } from 'node:path';
import type { Nats } from '#schemas/config-nats';
import type { NatsConfig } from './config.ts';
import type { Findings } from './places.ts';
import { type Absolute, secretSource } from './secret-source.ts';
import { staysHere } from './stays-here.ts';
import { durationMs, sizeBytes } from './units.ts';

export function resolveNats(raw: Nats | undefined, stateDir: string, absolute: Absolute): NatsConfig | null {
  if (raw === undefined) return null;
  const file = (path: string | undefined): string | null => (path === undefined ? null : absolute(path));
  const encrypted = raw.tls !== undefined || raw.servers.some((server) => server.startsWith('tls:'));
  return {
    servers: raw.servers,
    tls: encrypted ? { caFile: file(raw.tls?.ca), certFile: file(raw.tls?.cert), keyFile: file(raw.tls?.key) } : null,
    credentials: raw.credentials === undefined ? { kind: 'file', path: join(stateDir, 'keys', 'nats') } : secretSource(raw.credentials, absolute),
    streams: { audit: raw.streams?.audit ?? 'INTERLOCK_AUDIT', approvals: raw.streams?.approvals ?? 'INTERLOCK_APPROVALS' },
    replicas: raw.replicas ?? 1,
    duplicateWindowMs: durationMs(raw.duplicate_window ?? '24h'),
    lookedInto: raw.looked_into ?? 0,
    backlog: { bytes: sizeBytes(raw.backlog?.bytes ?? '1GiB'), ageMs: durationMs(raw.backlog?.age ?? '15m') },
  };
}

export function checkNats(raw: Nats | undefined, nats: NatsConfig | null, findings: Findings, notices: string[]): void {
  if (raw === undefined || nats === null) return;
  for (const [index, server] of nats.servers.entries()) {
    const { hostname, port } = new URL(server.replace(/^(nats|tls):/, 'http:'));
    if (Number(port || 80) > 65535) findings.addAt(`nats.servers[${index}]`, 'has no port from 1 to 65535');
    if (nats.tls !== null) continue;
    if (!staysHere(hostname.replace(/^\[|\]$/g, '')))
      findings.addAt(`nats.servers[${index}]`, `${hostname} is reached over the network, where records need TLS; allowed: \`tls://\``);
    else notices.push(`nats: TLS is off, accepted because ${hostname} is loopback`);
  }
  if ((raw.tls?.cert === undefined) !== (raw.tls?.key === undefined))
    findings.addAt('nats.tls', '`cert` and `key` belong together; allowed: both or none');
  if (nats.streams.audit === nats.streams.approvals) findings.addAt('nats.streams', 'both have one name; allowed: two');
}
