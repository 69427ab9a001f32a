/** How much may be asked at once: in all, by one principal with their agents, through one enforcement point, and in bytes. Nobody fills the inbox for all. */
import { POINT_SETTING } from '#client/approvals';
import type { Subject } from '#schemas/decision-request';
import { InterlockError } from '#schemas/errors';
import type { ApprovalLimits } from './limits.ts';

/** On whose account a request stands. */
export type Payer = { readonly kind: 'principal' | 'point'; readonly id: string };

/** The principal, the human behind an agent, and the enforcement point that says who they are: it could say anything. */
export function payersOf({ id, properties }: Subject, settings: Readonly<Record<string, string>>): readonly Payer[] {
  const owner = properties.on_behalf_of?.id;
  const point = settings[POINT_SETTING];
  return [
    { kind: 'principal', id },
    ...(owner === undefined || owner === id ? [] : [{ kind: 'principal', id: owner } as const]),
    ...(point === undefined ? [] : [{ kind: 'point', id: point } as const]),
  ];
}

interface Held {
  readonly count: number;
  readonly bytes: number;
}

const NOTHING: Held = { count: 0, bytes: 0 };
const WHO: Readonly<Record<Payer['kind'], string>> = { principal: 'this principal', point: 'this enforcement point' };

export class Quota {
  readonly #limits: ApprovalLimits;
  readonly #held = new Map<string, Held>();
  #all = NOTHING;

  constructor(limits: ApprovalLimits) {
    this.#limits = limits;
  }

  /** @throws InterlockError APPROVAL_UNAVAILABLE that names the limit. */
  take(payers: readonly Payer[], bytes: number): void {
    const { liveMax, liveBytesMax } = this.#limits;
    if (this.#all.count >= liveMax) throw full(`${liveMax} requests are open`);
    for (const payer of payers) this.#check(payer, bytes);
    if (this.#all.bytes + bytes > liveBytesMax) throw full(`the open requests hold ${this.#all.bytes} bytes`);
    this.add(payers, bytes);
  }

  /** What was there before a restart counts, whatever the limits are now. */
  add(payers: readonly Payer[], bytes: number): void {
    this.#change(payers, 1, bytes);
  }

  give(payers: readonly Payer[], bytes: number): void {
    this.#change(payers, -1, -bytes);
  }

  #check(payer: Payer, bytes: number): void {
    const { livePerPrincipalMax, livePerPointMax, liveBytesPerPayerMax } = this.#limits;
    const held = this.#held.get(keyOf(payer)) ?? NOTHING;
    const max = payer.kind === 'principal' ? livePerPrincipalMax : livePerPointMax;
    if (held.count >= max) throw full(`${held.count} requests of ${WHO[payer.kind]} are open`);
    if (held.bytes + bytes > liveBytesPerPayerMax) throw full(`the open requests of ${WHO[payer.kind]} hold ${held.bytes} bytes`);
  }

  #change(payers: readonly Payer[], count: number, bytes: number): void {
    this.#all = { count: this.#all.count + count, bytes: this.#all.bytes + bytes };
    for (const key of payers.map(keyOf)) {
      const held = this.#held.get(key) ?? NOTHING;
      if (held.count + count > 0) this.#held.set(key, { count: held.count + count, bytes: held.bytes + bytes });
      else this.#held.delete(key);
    }
  }
}

function keyOf({ kind, id }: Payer): string {
  return `${kind} ${id}`;
}

function full(what: string): InterlockError {
  return new InterlockError('APPROVAL_UNAVAILABLE', `no further approval can be asked for: ${what}`, { hint: 'wait until some are decided' });
}
