/** Which channel hears what. */
import type { Channel, Message } from './parts.ts';

/** A broken glass is told everywhere: no list, no stage and no target routes it away. */
export function hears(channel: Channel, { about, route }: Message): boolean {
  if (about === 'glass_broken' || about === 'test') return true;
  if (channel.on !== null && !channel.on.includes(about)) return false;
  if (route.target === null) return true;
  return overlaps(channel.targets, [route.target]) && overlaps(channel.stages, route.stages) && overlaps(channel.groups, route.groups);
}

function overlaps(wanted: readonly string[] | null, present: readonly string[]): boolean {
  return wanted === null || present.some((one) => wanted.includes(one));
}
