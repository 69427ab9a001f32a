/** One of those that a field offers. */
export interface Choice {
  readonly value: string;
  readonly name: string;
}
