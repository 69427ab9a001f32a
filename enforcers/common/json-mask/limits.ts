/** Every bound on what a target's answer can make grow while it is masked, with its unit in its name (invariant 9). */
export const ANSWER_LIMITS = {
  /** Objects and arrays inside each other. */
  depth: 512,
  /** A member's name on a way that masks may follow. */
  keyBytes: 4_096,
  /** A number that stands in two chunks, and a text that is kept back: JSON inside a string, or the end of a partly masked one. */
  keptBytes: 262_144,
  /** JSON inside a string inside JSON …: deeper is withheld. */
  embeddedDepth: 4,
  /** One event of a stream, all its lines together. */
  eventBytes: 4_194_304,
  /** A compressed answer that is decoded once: as it comes, decoded, and how many times larger it may become (H6). */
  encodedBytes: 1_048_576,
  decodedBytes: 16_777_216,
  decodedRatio: 100,
  /** Of one decision: paths, steps of one path, and distinct sets of places that an answer can lead to. */
  paths: 2_048,
  pathSteps: 128,
  places: 8_192,
} as const;
