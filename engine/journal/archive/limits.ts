/** What bounds the way to the archive and back, with units. */
export const LIMITS = {
  /** One message holds about so much of a journal, where there is so much to send; less than a server's default `max_payload` of 1 MiB. */
  runBytes: 512 << 10,
  /** A record with its payloads that is longer than `runBytes` goes as one message up to this, or what the server takes; a longer one in parts. */
  runBytesMax: (8 << 20) - (64 << 10),
  /** While nobody waits for the archive, records gather so long for one message. */
  gatherMs: 5,
  /** A message that is not acknowledged for so long is asked for again: it may have arrived or not. */
  ackMs: 3_000,
  /** Between two tries after the archive refused or did not answer. */
  retryMs: 250,
  /** `audit: strict`: a statement waits so long for the archive, and is refused then; with all else below a second. */
  strictMs: 800,
  /** How long a close waits for the archive to take the last records. */
  closeMs: 2_000,
  /** How often the newest acknowledgement is noted beside the journal. */
  noteEveryMs: 1_000,
  /** How often the oldest record in the backlog is looked at. */
  ageEveryMs: 100,
  /** The mirror brings its files to stable storage this often while records come. */
  syncEveryMs: 1_000,
  /** Journals that one archive keeps files of. */
  journalsMax: 10_000,
  /** Files that the mirror keeps open. */
  openFilesMax: 64,
  /** A record, or a payload, that a mirror gathers in memory from parts. */
  frameBytesMax: 1 << 30,
  /** Records between two checkpoints whose roots can still be computed. */
  uncheckedMax: 1 << 20,
  /** Alarms that are open at a time and told apart; the rest is counted. */
  alarmsMax: 1_000,
} as const;
