/** What the forwarder needs of the archive. engine/nats makes one; the composition root hands it in. */

/** Where a run of a journal's bytes begins: a segment's number, and a byte in its file. */
export interface Place {
  readonly segment: number;
  readonly offset: number;
}

/** Bytes of one segment, as they are stored: whole records with their payloads, or a part of one that is too long for a message. */
export interface Run extends Place {
  readonly bytes: Buffer;
  /** The hash of the run's last record, hexadecimal; of a part: where it ends. A message with an id that the archive knows is not stored again. */
  readonly id: string;
}

/** A run as the archive holds it. */
export interface Stored extends Run {
  /** The archive's own number of the message; rises over all journals. */
  readonly at: number;
}

export type Published =
  /** duplicate: it was there already. */
  | { readonly kind: 'stored'; readonly at: number; readonly duplicate: boolean }
  /** The journal's last message is another than `after`. */
  | { readonly kind: 'conflict' };

export interface ArchivePort {
  readonly connected: boolean;
  /** Told of every connection and every loss; answers how to stop. */
  onChange(listener: (connected: boolean) => void): () => void;
  /** Bytes that one message may hold now. */
  readonly bytesMax: number;
  /** The journal's last message; null: there is none. Rejects when nobody answers, or the stream is missing. */
  last(journal: string): Promise<Stored | null>;
  /** Stores a run if the journal's last message is number `after` (0: none). Rejects when it is not known whether it was stored. */
  publish(journal: string, run: Run, after: number, waitMs: number): Promise<Published>;
}
