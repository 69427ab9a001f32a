/** Why a token was not accepted: for our log. The client learns no more than AUTH_FAILED. Never holds a claim's value. */
export class Refused extends Error {
  /** The check that failed, as jose names it or as ours: `iss`, `typ`, `exp` … */
  readonly check: string;
  constructor(check: string, cause?: unknown) {
    super(`token refused: ${check}`, cause === undefined ? undefined : { cause });
    this.name = 'Refused';
    this.check = check;
  }
}
