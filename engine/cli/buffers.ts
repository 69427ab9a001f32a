/** How the memory of buffers, which is outside the heap, counts for when garbage is collected. */
import { setFlagsFromString } from 'node:v8';

/**
 * V8 looks through the whole heap each time that a few dozen megabytes of buffers were made, however short they live: ten times a second when answers of
 * 12 kB pass. Counted with the heap they go with the young objects they belong to. A Node
 * whose V8 does not know the flag goes on without.
 */
export function countBuffersWithTheHeap(): void {
  setFlagsFromString('--external-memory-accounted-in-global-limit');
}
