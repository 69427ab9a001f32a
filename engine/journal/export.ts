/** `interlock audit export`: every event with the bytes it refers to, as one JSON object a line. */
import type { Event } from '#schemas/event';
import { cloudEvent } from './cloud-event.ts';
import { SALT_BYTES } from './format.ts';
import { JournalReader } from './reader.ts';

/** Payload bytes held at a time; past it the oldest are forgotten, and read as absent. */
const HELD_BYTES_MAX = 64 << 20;

/** One JSON object a line in either form. */
export type ExportForm = 'ndjson' | 'cloudevents';

/** Payloads stand in `payloads`, by digest: `{text}` where they are UTF-8, else `{base64}`; those that were removed are missing. */
export async function* exportJournal(dir: string, form: ExportForm = 'ndjson'): AsyncGenerator<string> {
  const held = new HeldPayloads();
  await using reader = new JournalReader(dir, {
    onRedacted: (digest, stored) => held.alias(digest, stored),
    onPayload: (frame) => held.put(`sha256:${Buffer.from(frame.hash, 'latin1').toString('hex')}`, Buffer.from(frame.body.subarray(SALT_BYTES))),
  });
  for await (const event of reader.read()) {
    const payloads = Object.fromEntries(digestsIn(event).flatMap((digest) => held.shown(digest)));
    const whole = Object.keys(payloads).length === 0 ? event : { ...event, payloads };
    yield `${JSON.stringify(form === 'cloudevents' ? cloudEvent(whole) : whole)}\n`;
  }
}

class HeldPayloads {
  readonly #bytes = new Map<string, Buffer>();
  #total = 0;

  put(digest: string, bytes: Buffer): void {
    this.#total += bytes.length - (this.#bytes.get(digest)?.length ?? 0);
    this.#bytes.delete(digest);
    this.#bytes.set(digest, bytes);
    for (const [oldest, { length }] of this.#bytes) {
      if (this.#total <= HELD_BYTES_MAX) return;
      this.#bytes.delete(oldest);
      this.#total -= length;
    }
  }

  /** What is left of a redacted payload is shown in its place. */
  alias(digest: string, stored: string): void {
    const bytes = this.#bytes.get(stored);
    if (bytes) this.put(digest, bytes);
  }

  shown(digest: string): [string, { text: string } | { base64: string }][] {
    const bytes = this.#bytes.get(digest);
    if (!bytes) return [];
    const text = bytes.toString('utf8');
    return [[digest, Buffer.from(text, 'utf8').equals(bytes) ? { text } : { base64: bytes.toString('base64') }]];
  }
}

function digestsIn(event: Event): string[] {
  const digests: string[] = [];
  for (const value of Object.values(event)) {
    if (typeof value === 'object' && value !== null && 'form' in value && 'digest' in value) digests.push(String(value.digest));
  }
  return digests;
}
