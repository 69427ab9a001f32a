/** What an agent is called and held to, in words. */
import type { AgentView, Claim } from '#schemas/agent';
import type { Tone } from './badge.tsx';

export const AGENT_STATES: Readonly<Record<AgentView['state'], readonly [Tone, string]>> = {
  active: ['good', 'active'],
  silent: ['held', 'gets no tokens'],
  removed: ['plain', 'removed'],
};

export const CLAIM_EFFECTS: Readonly<Record<Claim['effect'], readonly [Tone, string]>> = {
  allow: ['good', 'allowed'],
  mask: ['good', 'masked'],
  require_approval: ['held', 'waits for a human'],
  deny: ['bad', 'refused'],
};

export function ceilingWords(ceilings: AgentView['ceilings']): readonly string[] {
  const { read_only: readOnly, statements_per_minute: statements, rows_per_hour: rows, distinct_objects: objects } = ceilings;
  return [
    ...(readOnly === true ? ['only reads'] : []),
    ...(statements === undefined ? [] : [`${statements} statements a minute`]),
    ...(rows === undefined ? [] : [`${rows} rows an hour`]),
    ...(objects === undefined ? [] : [`${objects} different objects an hour`]),
  ];
}
