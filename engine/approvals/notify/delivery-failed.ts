/** Why an attempt did not reach its receiver: words for the list and the journal, which never hold an address or what was answered. */
export class DeliveryFailed extends Error {
  /** The receiver refused for good, as far as it can be told: few more tries. */
  readonly refused: boolean;
  /** The receiver asked to wait so long. */
  readonly retryAfterMs: number | null;

  constructor(message: string, options: { readonly refused?: boolean; readonly retryAfterMs?: number | null } = {}) {
    super(message);
    this.name = 'DeliveryFailed';
    this.refused = options.refused ?? false;
    this.retryAfterMs = options.retryAfterMs ?? null;
  }
}
