/** An API or an MCP server from the gateway's side: what is known of it, its credential, whether it answers. With the code that serves sessions. */
import { silentLog } from '#client/log';
import { leased } from '#enforcers/common/leased';
import { Place } from '#enforcers/common/service/place';
import type { HttpTarget } from '#enforcers/http/target';
import { compared, toolsOf } from '#enforcers/mcp/pinning';
import type { LoadedConfig, TargetConfig } from '../../config/config.ts';
import { httpTargetOf } from '../../http-target.ts';
import type { Leasing } from '../../leasing.ts';
import { upstreamOf } from '../../mcp-target.ts';
import { saidBy } from '../../targets.ts';
import { check, type Check } from './check.ts';

type Looked = { readonly ok: boolean; readonly value: string };

export async function* checkService(config: LoadedConfig, target: TargetConfig, { desk }: Leasing): AsyncGenerator<Check> {
  const id = `target.${target.name}`;
  const credential = await check(`${id}.credential`, 'readable', 'Set what the reference names.', async () => {
    (await leased(desk, target.name)).over();
    return { ok: true, value: (target.http ?? target.mcp)?.credential === null ? 'none: requests leave without one' : 'readable' };
  });
  yield credential;
  if (target.mcp !== null) yield* credential.ok ? checkTools(id, target, desk) : [];
  else yield* checkApi(id, config, target);
}

async function* checkApi(id: string, config: LoadedConfig, target: TargetConfig): AsyncGenerator<Check> {
  const read: HttpTarget[] = [];
  yield await check(`${id}.description`, 'openapi, routes or graphql', 'The message names the file and the place in it.', () => {
    const settings = httpTargetOf(target, () => saidBy(config, target, ''));
    read.push(settings);
    const { routes, graphql } = settings.catalog;
    const none = routes.length === 0 && graphql === undefined;
    return { ok: true, value: none ? 'none: nothing is allowed unless data.http_guardrails.undescribed says so' : `${routes.length} operations` };
  });
  const [settings] = read;
  if (settings === undefined) return;
  const place = new Place({ upstream: settings.upstream, target: target.name, nowMs: () => performance.now() });
  yield await check(`${id}.reachable`, 'accepts connections', 'Check address, firewall, certificate (`http.ca`) and whether it runs.', async () => {
    (await place.connect()).destroy();
    return { ok: true, value: settings.upstream.url };
  });
}

async function* checkTools(id: string, target: TargetConfig, desk: Leasing['desk']): AsyncGenerator<Check> {
  const { mcp, name } = target;
  if (mcp === null) return;
  const found: Awaited<ReturnType<typeof toolsOf>>[number][] = [];
  const reached = await check(`${id}.reachable`, 'answers as an MCP server', 'Check `mcp.url` or `mcp.command`, and whether it runs.', async () => {
    found.push(...(await toolsOf(name, upstreamOf(mcp.server), desk, silentLog)));
    return { ok: true, value: `${found.length} tools` };
  });
  yield reached;
  if (!reached.ok) return;
  yield await check(
    `${id}.pins`,
    'every tool as it was approved',
    `\`interlock mcp pin ${name}\` shows what differs, and approves it.`,
    (): Looked => {
      const differing = compared(mcp.pinsFile, found).filter(({ what }) => what !== 'same');
      if (differing.length === 0) return { ok: true, value: `${found.length} tools, all as pinned` };
      return { ok: false, value: differing.map((each) => `${each.name} is ${each.what}`).join(', ') };
    },
  );
}
