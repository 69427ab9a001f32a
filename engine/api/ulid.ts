/** An id without its prefix, in the middle of a pattern. https://github.com/ulid/spec */
export const ULID = '[0-9A-HJKMNP-TV-Z]{26}';
