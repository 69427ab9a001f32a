/** `data.approval_chains`: chains that policies name instead of spelling them out. */
import { Compile } from 'typebox/compile';
import { ChainDocument } from './policy-result.ts';
import { isTimeZone } from './time-zone.ts';

/** What stands under one name: the chain, or what is wrong with it. */
export type KnownChain = { readonly ok: true; readonly chain: ChainDocument } | { readonly ok: false; readonly at: string; readonly problem: string };
export type Chains = ReadonlyMap<string, KnownChain>;

const CHAINS_MAX = 1_000;
const check: { Check(value: unknown): boolean; Errors(value: unknown): readonly { instancePath: string; message: string }[] } =
  Compile(ChainDocument);

/** @param documents `data.approval_chains`. A malformed one is in the map with its problem: what names it is denied. */
export function chainsOf(documents: unknown): Chains {
  if (documents === undefined) return new Map();
  const entries = documents !== null && typeof documents === 'object' && !Array.isArray(documents) ? Object.entries(documents) : null;
  if (entries === null) return new Map([['', { ok: false, at: '', problem: 'must be an object: names with their chains' }]]);
  if (entries.length > CHAINS_MAX) return new Map([['', { ok: false, at: '', problem: `holds more than ${CHAINS_MAX} chains` }]]);
  return new Map(entries.map(([name, document]) => [name, knownChain(document)]));
}

function knownChain(value: unknown): KnownChain {
  if (!check.Check(value)) {
    // the deepest is the one that somebody can do something about
    const worst = check.Errors(value).toSorted((a, b) => b.instancePath.split('/').length - a.instancePath.split('/').length)[0];
    return {
      ok: false,
      at: (worst?.instancePath ?? '').replaceAll('/', '.'),
      problem: worst === undefined || worst.message === 'schema is false' ? 'is not known there' : worst.message,
    };
  }
  const document = value as ChainDocument;
  const ids = document.stages.map(({ id }) => id);
  const twice = ids.find((id, index) => ids.indexOf(id) !== index);
  if (twice !== undefined) return { ok: false, at: '.stages', problem: `has two stages with the id ${JSON.stringify(twice)}` };
  const zone = document.schedules?.find(({ time_zone }) => !isTimeZone(time_zone))?.time_zone;
  if (zone !== undefined)
    return { ok: false, at: '.schedules', problem: `names ${JSON.stringify(zone)}, which is no time zone (IANA: Europe/Zurich)` };
  // in the order in which they stand, where they do not say otherwise
  return { ok: true, chain: { ...document, stages: document.stages.map((stage, index) => ({ order: index + 1, ...stage })) } };
}
