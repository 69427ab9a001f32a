/** The endpoint as a protected resource: where its tokens come from, and what a request without one is told. RFC 9728, RFC 8707, RFC 6750. */
import type { McpTarget } from './target.ts';

export const WELL_KNOWN = '/.well-known/oauth-protected-resource';

/** What tokens for this endpoint name as their audience. */
export function resourceOf(target: Pick<McpTarget, 'name'>, origin: string): string {
  return `${origin}/mcp/${target.name}`;
}

export function metadataUrl(target: Pick<McpTarget, 'name'>, origin: string): string {
  return `${origin}${WELL_KNOWN}/mcp/${target.name}`;
}

export function metadata(target: Pick<McpTarget, 'name'>, origin: string, servers: readonly string[]): object {
  return {
    resource: resourceOf(target, origin),
    ...(servers.length === 0 ? {} : { authorization_servers: servers }),
    scopes_supported: ['connect'],
    bearer_methods_supported: ['header'],
    resource_name: `Interlock: ${target.name}`,
  };
}

export function challenge(target: Pick<McpTarget, 'name'>, origin: string, error: 'invalid_token' | 'insufficient_scope' | null): string {
  const fields = [`resource_metadata="${metadataUrl(target, origin)}"`, 'scope="connect"', ...(error === null ? [] : [`error="${error}"`])];
  return `Bearer ${fields.join(', ')}`;
}
