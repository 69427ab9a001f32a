/** Bounds of everything here that somebody else makes grow or last. */

/** No session waits longer for a credential: a program that prints a password, a Vault that makes a user. */
export const READ_MS_MAX = 15_000;
/** A password that was made for one session is looked for in the log so long: signing in is over by then. */
export const HIDDEN_MS = 60_000;
/** Leases that are kept at a time, of all targets and holders. */
export const LEASES_MAX = 20_000;
/** Leases of which whoever holds them elsewhere did not speak for so long are ended: longer than an engine needs to be replaced. */
export const KEPT_MS_MAX: number = 5 * 60_000;
/** What ends is renewed when this part of its life is left, and tried again so often when that fails. */
export const RENEW_AT = 1 / 2;
export const RENEW_AGAIN_MS = 5_000;
/** A renewal that gains less than this part of what it grants is the last one. */
export const GAIN_MIN = 1 / 10;
/** How often it is looked which leases are due. */
export const LOOK_MS = 1_000;
/** Renewals and revocations at a time. */
export const UPKEEP_AT_ONCE = 8;
/** A revocation that fails is tried so often, so far apart; after that the lease ends at its own time. */
export const REVOKE_TRIES = 5;
export const REVOKE_AGAIN_MS = 2_000;
/** At the end of a process: what was made for its sessions is revoked within this. */
export const CLOSE_MS_MAX = 5_000;

/** Of one answer of Vault. */
export const VAULT_BYTES_MAX: number = 256 * 1024;
/** Connections to it. */
export const VAULT_SOCKETS_MAX = 16;
/** A token that is read from where somebody else renews it is read again after this. */
export const TOKEN_READ_MS = 30_000;
/** A token that would end within this is not used for anything new. */
export const TOKEN_LEFT_MS_MIN = 10_000;
