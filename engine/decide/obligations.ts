/** Obligations of all packages as one: limits take the minimum, masks the strictest per column, recording the most. */
import { MASK_METHODS, type Mask, type MaskObligation, type Obligation } from '#schemas/decision';
import type { MaskAsked, ObligationAsked, PackageAnswer } from './policy-result.ts';

/** Sorted by id; one obligation of a kind. */
export function mergeObligations(answers: readonly PackageAnswer[]): Obligation[] {
  const merged = new Map<string, Obligation>();
  for (const { obligation } of answers) {
    for (const item of obligation) {
      const next = toObligation(item);
      const other = merged.get(next.id);
      merged.set(next.id, other ? stricter(other, next) : next);
    }
  }
  const mask = mergeMasks(answers.flatMap((answer) => answer.mask));
  if (mask) merged.set(mask.id, mask);
  return [...merged.values()].sort((a, b) => (a.id < b.id ? -1 : 1));
}

/** What an enforcer must say that it supports to be given this obligation. */
export function supportNeeded(obligation: Obligation): readonly string[] {
  if (obligation.type !== 'mask') return [obligation.type];
  const { columns, paths, detectors } = obligation.properties;
  return [
    ...(Object.keys(columns).length > 0 ? ['mask'] : []),
    ...(Object.keys(paths).length > 0 ? ['mask.paths'] : []),
    ...(detectors.length > 0 ? ['mask.detectors'] : []),
  ];
}

function toObligation(item: ObligationAsked): Obligation {
  switch (item.type) {
    case 'read_only':
      return { id: item.type, type: item.type, properties: {} };
    case 'step_up':
      return { id: `${item.type}:${item.acr}`, type: item.type, properties: { acr: item.acr, max_age_s: item.max_age_s } };
    case 'record':
      return { id: item.type, type: item.type, properties: { request: item.request, response: item.response } };
    case 'notification':
      return { id: `${item.type}:${item.to}`, type: item.type, properties: { to: item.to } };
    default:
      return { id: item.type, type: item.type, properties: { max: item.max } };
  }
}

/** Of two with the same id, so of the same type. */
function stricter(a: Obligation, b: Obligation): Obligation {
  if (a.type === 'step_up' && b.type === 'step_up') return a.properties.max_age_s <= b.properties.max_age_s ? a : b;
  if (a.type === 'record' && b.type === 'record') {
    const most = (x: 'digest' | 'full', y: 'digest' | 'full'): 'digest' | 'full' => (x === 'full' || y === 'full' ? 'full' : 'digest');
    const request = most(a.properties.request, b.properties.request);
    return { ...a, properties: { request, response: most(a.properties.response, b.properties.response) } };
  }
  if ('max' in a.properties && 'max' in b.properties) return a.properties.max <= b.properties.max ? a : b;
  return a;
}

function mergeMasks(items: readonly MaskAsked[]): MaskObligation | null {
  if (items.length === 0) return null;
  const columns = new Map<string, Mask>();
  const paths = new Map<string, Mask>();
  const detectors = new Set<string>();
  for (const item of items) {
    const mask = maskOf(item);
    for (const column of item.columns ?? []) columns.set(column, strictest(columns.get(column), mask));
    for (const path of item.paths ?? []) paths.set(path, strictest(paths.get(path), mask));
    for (const detector of item.detectors ?? []) detectors.add(detector);
  }
  const properties = { columns: sortedRecord(columns), paths: sortedRecord(paths), detectors: [...detectors].sort() };
  return { id: 'mask', type: 'mask', properties };
}

function maskOf(item: MaskAsked): Mask {
  const { using, keep } = typeof item.using === 'string' ? { using: item.using, keep: item.keep } : { keep: item.keep, ...item.using };
  return keep === undefined || using !== 'partial' ? { using } : { using, keep };
}

/** `null` is the strictest; of two `partial` the one that keeps less. */
function strictest(a: Mask | undefined, b: Mask): Mask {
  if (!a) return b;
  const rank = MASK_METHODS.indexOf(a.using) - MASK_METHODS.indexOf(b.using);
  if (rank !== 0) return rank < 0 ? a : b;
  return (a.keep ?? 0) <= (b.keep ?? 0) ? a : b;
}

/** Own properties only: a column may be called `__proto__`. */
function sortedRecord(masks: ReadonlyMap<string, Mask>): Record<string, Mask> {
  return Object.fromEntries([...masks].sort(([a], [b]) => (a < b ? -1 : 1)));
}
