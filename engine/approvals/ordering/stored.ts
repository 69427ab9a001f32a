/** Drafts hold payloads, events refer to them. */
import type { EventDraft, Payload } from '#client/journal';
import type { PayloadRef } from '#schemas/event';

/** The fields as a reader sees them; `refOf` says under which digest a payload stands. */
export function stored(draft: EventDraft, refOf: (payload: Payload) => PayloadRef): Record<string, unknown> {
  return Object.fromEntries(
    Object.entries(draft)
      .filter(([, value]) => value !== undefined)
      .map(([key, value]) => [key, asStored(value, refOf)]),
  );
}

export function payloadsIn(draft: EventDraft): readonly Payload[] {
  return Object.values(draft).flatMap((value: unknown) => (isPayload(value) ? [value] : hasPlan(value) ? [value.plan] : []));
}

function asStored(value: unknown, refOf: (payload: Payload) => PayloadRef): unknown {
  if (isPayload(value)) return refOf(value);
  return hasPlan(value) ? { ...value, plan: refOf(value.plan) } : value;
}

export function isPayload(value: unknown): value is Payload {
  return typeof value === 'object' && value !== null && 'bytes' in value && value.bytes instanceof Uint8Array;
}

/** The estimate holds its plan. */
function hasPlan(value: unknown): value is { readonly plan: Payload } {
  return typeof value === 'object' && value !== null && 'plan' in value && isPayload(value.plan);
}
