/** The constants of FORMAT.md, and nothing else: the writer and the independent verifier share only these. */

export const FORMAT_VERSION = 1;
/** Seven letters, then the version. */
export const MAGIC: Uint8Array = new TextEncoder().encode(`INTLJNL${String.fromCharCode(FORMAT_VERSION)}`);
export const SEGMENT_HEADER_BYTES = 128;
/** len | crc32c | hash: what stands before every body. */
export const FRAME_HEADER_BYTES = 40;
/** In a frame's length: the body is salt ‖ bytes and stands outside the chain. */
export const PAYLOAD_FLAG = 0x8000_0000;
/** In a payload frame's length: salt and bytes were removed and are zeros. */
export const ERASED_FLAG = 0x4000_0000;
export const LENGTH_MASK = 0x3fff_ffff;
export const SALT_BYTES = 16;
/** back | seq | wall | tick: what stands before a record's items. */
export const RECORD_HEADER_BYTES = 28;
export const SEGMENT_NAME: RegExp = /^(\d{8})\.seg$/;
export const CHECKPOINT_FILE = 'checkpoint';

export const ITEM = {
  defineJson: 0x01,
  definePayload: 0x02,
  stream: 0x03,
  json: 0x10,
  statement: 0x20,
  received: 0x21,
  decided: 0x22,
  refused: 0x23,
  cleared: 0x24,
  finished: 0x25,
} as const;

export const DECIDED = { cached: 1, rewritten: 2, rewrittenPayload: 4 } as const;
export const CLEARED = { ownBinding: 1, params: 2, approval: 4 } as const;
export const FORMS = ['clear', 'redacted', 'sealed', 'absent'] as const;
export const MEDIA = ['text', 'params', 'facts', 'comment', 'rows'] as const;
export const OUTCOMES = ['ok', 'error', 'aborted', 'cancelled', 'unknown'] as const;
