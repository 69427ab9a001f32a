/** Why something could not be understood: a value, since readers of facts never throw. */
import type { Opaque } from '#schemas/sql-facts';

export class Trouble {
  readonly code: Opaque['code'];
  readonly detail: string;

  constructor(code: Opaque['code'], detail: string) {
    this.code = code;
    this.detail = detail;
  }

  get opaque(): Opaque {
    return { code: this.code, detail: this.detail };
  }
}
