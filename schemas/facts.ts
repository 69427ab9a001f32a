/** Facts of any dialect. All keep the frame `{dialect, parsed, effects, opaque}`: a policy such as "no delete outside a window" is written once. */
import type { HttpFacts } from './http-facts.ts';
import type { McpFacts } from './mcp-facts.ts';
import type { SqlFacts } from './sql-facts.ts';

export type Facts = SqlFacts | HttpFacts | McpFacts;

/** The member of a decision request that holds them. */
export type FactsMember = 'sql' | 'http' | 'mcp';

export function memberOf(facts: Facts): FactsMember {
  return facts.dialect === 'http' || facts.dialect === 'mcp' ? facts.dialect : 'sql';
}

export function isSql(facts: Facts): facts is SqlFacts {
  return memberOf(facts) === 'sql';
}

export function isHttp(facts: Facts): facts is HttpFacts {
  return facts.dialect === 'http';
}

export function isMcp(facts: Facts): facts is McpFacts {
  return facts.dialect === 'mcp';
}
