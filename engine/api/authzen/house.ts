/** What all evaluations share while the server runs. */
import { type Clock, timestamp } from '#client/clock';
import { InterlockError } from '#schemas/errors';
import { Denials } from './denials.ts';
import { OutsideSessions } from './outside-sessions.ts';
import type { AuthzenParts, OutsideApprovals } from './parts.ts';
import { Submissions } from './submissions.ts';

export interface AuthzenHouse {
  readonly parts: AuthzenParts;
  readonly clock: Clock;
  /** Without a slash at its end. */
  readonly publicUrl: string;
  readonly sessions: OutsideSessions;
  readonly denials: Denials;
  readonly submissions: Submissions;
}

export function openAuthzen(from: Pick<AuthzenHouse, 'parts' | 'clock' | 'publicUrl'>): AuthzenHouse & { close(): void } {
  const { parts, clock, publicUrl } = from;
  const sessions = new OutsideSessions(parts, clock);
  const sweeping = setInterval(() => sessions.sweep(), 60_000).unref();
  return {
    parts,
    clock,
    publicUrl: publicUrl.replace(/\/+$/, ''),
    sessions,
    denials: new Denials(clock),
    submissions: new Submissions(clock),
    close: () => {
      clearInterval(sweeping);
      sessions.closeAll();
    },
  };
}

/** @throws InterlockError APPROVAL_UNAVAILABLE */
export function approvalsOf({ parts }: Pick<AuthzenHouse, 'parts'>): OutsideApprovals {
  const found = parts.approvals();
  if (found === null) throw new InterlockError('APPROVAL_UNAVAILABLE', 'the gateway is still starting');
  return found;
}

export function now({ clock }: Pick<AuthzenHouse, 'clock'>): string {
  return timestamp(clock.wallUs());
}
