/** How a conversation with a server begins, in either era, over whatever carries its messages. */
import { InterlockError } from '#schemas/errors';
import type { RpcOutcome } from '../message.ts';
import { isObject, LEGACY, META, MODERN, objectOf, type Era } from '../protocol.ts';
import type { Introduction, Outgoing, ServerSelf } from './link.ts';

export type Ask = (outgoing: Outgoing, era: Era) => Promise<RpcOutcome>;

/** `server/discover`; null: the server does not know this era. */
export async function discover(ask: Ask, who: Introduction): Promise<ServerSelf | null> {
  const outcome = await ask({ method: 'server/discover', params: {}, meta: modernMeta(who), headers: [] }, 'modern');
  if (!outcome.ok) return null;
  const { supportedVersions, capabilities, instructions, _meta } = outcome.result;
  if (!Array.isArray(supportedVersions) || !supportedVersions.includes(MODERN)) return null;
  return {
    era: 'modern',
    version: MODERN,
    capabilities: objectOf(capabilities),
    instructions: typeof instructions === 'string' ? instructions : null,
    info: infoOf(objectOf(_meta)[META.server]),
  };
}

/** `initialize`; the caller says `notifications/initialized`. null: the server does not know this era. */
export async function initialize(ask: Ask, who: Introduction): Promise<ServerSelf | null> {
  const wanted = LEGACY.includes(who.version) ? who.version : (LEGACY[0] as string);
  const params = { protocolVersion: wanted, capabilities: who.capabilities, clientInfo: who.info };
  const outcome = await ask({ method: 'initialize', params, meta: {}, headers: [] }, 'legacy');
  if (!outcome.ok) return null;
  const { protocolVersion, capabilities, instructions, serverInfo } = outcome.result;
  if (typeof protocolVersion !== 'string' || !LEGACY.includes(protocolVersion)) {
    throw new InterlockError('TARGET_UNREACHABLE', 'the server speaks a version of MCP that is not supported');
  }
  return {
    era: 'legacy',
    version: protocolVersion,
    capabilities: objectOf(capabilities),
    instructions: typeof instructions === 'string' ? instructions : null,
    info: infoOf(serverInfo),
  };
}

/** The era of the client first, so that a server of both is spoken to as the client speaks. @throws InterlockError TARGET_UNREACHABLE */
export async function begin(ask: Ask, who: Introduction): Promise<ServerSelf> {
  const [first, second] = who.era === 'modern' ? [discover, initialize] : [initialize, discover];
  const self = (await first(ask, who)) ?? (await second(ask, who));
  if (self === null) throw new InterlockError('TARGET_UNREACHABLE', 'the server answers neither server/discover nor initialize');
  return self;
}

export function modernMeta({ capabilities, info }: Introduction): Readonly<Record<string, unknown>> {
  return { [META.version]: MODERN, [META.client]: info, [META.capabilities]: capabilities };
}

function infoOf(info: unknown): Readonly<Record<string, unknown>> | null {
  return isObject(info) && typeof info['name'] === 'string' ? info : null;
}
