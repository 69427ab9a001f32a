/** Everything that whoever sends a bundle could make grow. */

/** As it is sent: compressed. */
export const BUNDLE_BYTES_MAX: number = 16 * 1024 * 1024;
/** Unpacked; policies and data together may be 16 MiB long, and the WASM is small beside that. */
export const UNPACKED_BYTES_MAX: number = 64 * 1024 * 1024;
export const MANIFEST_BYTES_MAX: number = 2 * 1024 * 1024;
export const SIGNATURES_BYTES_MAX: number = 8 * 1024;
export const FILES_MAX = 4_096;
export const PATH_BYTES_MAX = 255;
/** Of those that sign one bundle, and of those that are trusted. */
export const KEYS_MAX = 8;
/** A bundle may be made so much later than our clock says it is: further ahead, one wrong clock would lock out all that come after. */
export const MADE_AHEAD_MS_MAX: number = 5 * 60_000;
