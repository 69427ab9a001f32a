/** People who approve whatever is open, at any engine that answers. */
import type { Random } from '#test/support/random';
import { after } from '../chaos/under-load.ts';

export interface Reviewers {
  readonly approved: number;
  /** What they were told besides, how often. */
  readonly troubles: ReadonlyMap<string, number>;
  stop(): Promise<void>;
}

export interface ReviewersOptions {
  /** Of the engines, now; empty where one does not run. */
  readonly apis: () => readonly string[];
  /** One for each reviewer, fresh: one alone is told to slow down. */
  readonly mint: () => Promise<readonly string[]>;
  readonly random: Random;
}

const LOOK_EVERY_MS = 40;
/** A verdict needs a token at most an hour old (A4). */
const YOUNG_MS = 1_800_000;
const CALL_MS = 10_000;

export function startReviewers({ apis, mint, random }: ReviewersOptions): Reviewers {
  let stopped = false;
  let approved = 0;
  let turn = 0;
  let tokens: readonly string[] = [];
  let mintedMs = -Infinity;
  const troubles = new Map<string, number>();
  const count = (what: string): void => void troubles.set(what, (troubles.get(what) ?? 0) + 1);
  const any = (): string => {
    const standing = apis().filter((api) => api !== '');
    return standing[Math.floor(random.next() * standing.length)] ?? '';
  };
  const call = async (path: string, body?: object): Promise<unknown> => {
    const headers = { authorization: `Bearer ${tokens[turn++ % tokens.length] ?? ''}`, 'content-type': 'application/json' };
    const sent = body === undefined ? {} : { method: 'POST', body: JSON.stringify(body) };
    const answer = await fetch(`${any()}${path}`, { headers, ...sent, signal: AbortSignal.timeout(CALL_MS) });
    const said: unknown = await answer.json();
    if (answer.ok) return said;
    count(`${answer.status} ${(said as { readonly code?: string }).code ?? ''}`);
    return null;
  };
  const look = async (): Promise<void> => {
    if (performance.now() - mintedMs > YOUNG_MS) [tokens, mintedMs] = [await mint(), performance.now()];
    const open = ((await call('/v1/approvals?state=open')) ?? []) as readonly { readonly approval_id: string }[];
    for (const { approval_id: id } of open) if (!stopped && (await call(`/v1/approvals/${id}/verdict`, { outcome: 'approve' })) !== null) approved++;
  };
  const review = async (): Promise<void> => {
    while (!stopped) {
      await look().catch((error: Error) => count(`${error.name}: ${(error.cause as { readonly code?: string } | undefined)?.code ?? error.message}`));
      await after(LOOK_EVERY_MS, null);
    }
  };
  const reviewing = review();
  return {
    get approved() {
      return approved;
    },
    troubles,
    stop: async () => {
      stopped = true;
      await reviewing;
    },
  };
}
