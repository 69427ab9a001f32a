/** What one round apart is given. */
import type { Random } from '#test/support/random';
import type { Sabotage } from '../options.ts';
import type { ApartBed, ApartComponent } from './bed.ts';

export const APART_FAULTS = ['kill', 'stop', 'power', 'partition', 'delay', 'clock', 'eio', 'enospc', 'flip'] as const;
export type ApartFault = (typeof APART_FAULTS)[number];

export interface ApartRound {
  readonly bed: ApartBed;
  readonly name: string;
  readonly random: Random;
  readonly component: ApartComponent;
  readonly fault: ApartFault;
  readonly sabotage: Sabotage | null;
  /** What is killed stays away for a while, and it is watched who goes on without it; else it is started anew at once. */
  readonly watched: boolean;
}
