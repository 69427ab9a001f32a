/** Facts of any dialect. All keep the frame `{dialect, parsed, effects, opaque}`: a policy such as "no delete outside a window" is written once. */
import { HttpFacts } from './http-facts.ts';
import { McpFacts } from './mcp-facts.ts';
import { SqlFacts } from './sql-facts.ts';

export const Facts = { anyOf: [SqlFacts, HttpFacts, McpFacts] } as const;
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

/** Where nothing else can be: in what speaks SQL. @throws TypeError */
export function sqlOf(facts: Facts): SqlFacts {
  if (!isSql(facts)) throw new TypeError(`facts of ${facts.dialect} where there are only those of SQL`);
  return facts;
}
