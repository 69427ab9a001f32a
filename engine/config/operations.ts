/** Section `operations`, resolved and checked. */
import type { Operations } from '#schemas/config-operations';
import { hostPort } from './address.ts';
import type { OperationsConfig, Role, TracesConfig } from './config.ts';
import type { Findings } from './places.ts';
import { secretSource, type Absolute } from './secret-source.ts';
import { staysHere } from './stays-here.ts';

const ENFORCER_LISTEN = '127.0.0.1:8401';

export function resolveOperations(raw: Operations | undefined, role: Role, absolute: Absolute): OperationsConfig {
  const listen = raw?.listen ?? (role === 'enforcer' ? ENFORCER_LISTEN : 'off');
  const { traces, metrics } = raw ?? {};
  return {
    listen: listen === 'off' ? null : hostPort(listen),
    metrics: { readers: metrics?.readers ?? 'loopback', token: metrics?.token === undefined ? null : secretSource(metrics.token, absolute) },
    traces:
      traces === undefined
        ? null
        : {
            url: traces.url,
            caFile: traces.ca === undefined ? null : absolute(traces.ca),
            headers: Object.fromEntries(Object.entries(traces.headers ?? {}).map(([name, ref]) => [name.toLowerCase(), secretSource(ref, absolute)])),
            oneIn: traces.one_in ?? 1,
          },
  };
}

export function checkOperations({ listen, metrics, traces }: OperationsConfig, findings: Findings, notices: string[]): void {
  if (metrics.readers === 'token' && metrics.token === null)
    findings.addAt('operations.metrics.readers', 'found `token` without one; allowed: `token: { file: PATH }` beside it');
  if (metrics.readers !== 'token' && metrics.token !== null)
    findings.addAt('operations.metrics.token', `is not asked for: readers is \`${metrics.readers}\`; allowed: \`readers: token\`, or leave it out`);
  if (listen !== null && !staysHere(listen.host)) {
    if (metrics.readers === 'token')
      findings.addAt('operations.listen', `${listen.host} is reached from outside, where a token needs TLS: listen on 127.0.0.1`);
    else notices.push(`operations: ${listen.host} is reached from outside, and says to everybody how this process is`);
  }
  if (traces !== null) checkTraces(traces, findings, notices);
}

function checkTraces({ url }: TracesConfig, findings: Findings, notices: string[]): void {
  const at = 'operations.traces.url';
  if (!URL.canParse(url)) return findings.addAt(at, 'is not an address');
  const { protocol, hostname, username, password } = new URL(url);
  if (username !== '' || password !== '') findings.addAt(at, 'holds a credential; allowed: a reference in `headers`');
  if (protocol === 'https:') return;
  if (staysHere(hostname.replace(/^\[|\]$/g, ''))) notices.push(`operations.traces: TLS is off, accepted because ${hostname} is loopback`);
  else findings.addAt(at, `${hostname} is reached over the network, which needs TLS; allowed: https`);
}
