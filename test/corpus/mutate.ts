import type { Run } from './case.ts';
export function mutants(_run: Run, _count: number, _seed: number): Run[] {
  return [];
}
