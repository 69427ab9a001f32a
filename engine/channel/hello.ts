/** The first frame of each side: which versions of the wire it speaks, what it runs, how much it takes. Unknown members are ignored. */
import { InterlockError } from '#schemas/errors';
import type { ChannelLimits, VersionRange } from './parts.ts';

/** What this build speaks. */
export const VERSIONS: VersionRange = { min: 1, max: 1 };
export const ALPN = 'interlock/1';

export interface Hello {
  readonly versions: VersionRange;
  readonly software: string;
  /** What the sender of this takes: the other side keeps within it. */
  readonly takes: Pick<ChannelLimits, 'frameBytes' | 'payloadBytes' | 'streamBytes'>;
}

export function encodeHello({ versions, software, takes }: Hello): Buffer {
  const { frameBytes, payloadBytes, streamBytes } = takes;
  return Buffer.from(
    JSON.stringify({
      versions: [versions.min, versions.max],
      software: software.slice(0, SOFTWARE_CHARS),
      frame_bytes: frameBytes,
      payload_bytes: payloadBytes,
      stream_bytes: streamBytes,
    }),
  );
}

/** @throws InterlockError CHANNEL_PROTOCOL */
export function decodeHello(bytes: Buffer): Hello {
  const { versions, software, frame_bytes, payload_bytes, stream_bytes } = parsed(bytes);
  const [min, max] = Array.isArray(versions) ? (versions as unknown[]) : [];
  if (!isCount(min) || !isCount(max) || min > max) throw broken('its versions');
  if (typeof software !== 'string' || software.length > SOFTWARE_CHARS) throw broken('its software');
  if (!isCount(frame_bytes) || frame_bytes < FRAME_BYTES_MIN || !isCount(payload_bytes) || !isCount(stream_bytes)) throw broken('its limits');
  return { versions: { min, max }, software, takes: { frameBytes: frame_bytes, payloadBytes: payload_bytes, streamBytes: stream_bytes } };
}

/** The newest that both speak. @throws InterlockError CHANNEL_PROTOCOL */
export function agree(ours: VersionRange, theirs: VersionRange): number {
  const version = Math.min(ours.max, theirs.max);
  if (version >= ours.min && version >= theirs.min) return version;
  throw new InterlockError('CHANNEL_PROTOCOL', `no common version: ${range(ours)} here, ${range(theirs)} there`);
}

const SOFTWARE_CHARS = 100;
const FRAME_BYTES_MIN = 1_024;

function parsed(bytes: Buffer): Record<string, unknown> {
  try {
    const value: unknown = JSON.parse(bytes.toString('utf8'));
    if (typeof value === 'object' && value !== null) return value as Record<string, unknown>;
  } catch {
    // told below
  }
  throw broken('its form');
}

function broken(what: string): InterlockError {
  return new InterlockError('CHANNEL_PROTOCOL', `the hello cannot be read: ${what}`);
}

function isCount(value: unknown): value is number {
  return typeof value === 'number' && Number.isSafeInteger(value) && value > 0;
}

function range({ min, max }: VersionRange): string {
  return min === max ? String(min) : `${min} to ${max}`;
}
