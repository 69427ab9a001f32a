/** Values by key, bounded by bytes. Two generations: what was used since the last turn survives it. */
export class ByteCache<Value> {
  readonly #bytesMax: number;
  #young = new Map<string, { readonly value: Value; readonly bytes: number }>();
  #old = this.#young;
  #youngBytes = 0;

  constructor(bytesMax: number) {
    this.#bytesMax = bytesMax;
    this.#old = new Map();
  }

  get(key: string): Value | undefined {
    const young = this.#young.get(key);
    if (young !== undefined) return young.value;
    const old = this.#old.get(key);
    if (old === undefined) return undefined;
    this.set(key, old.value, old.bytes);
    return old.value;
  }

  /** `bytes`: an estimate that includes the key. */
  set(key: string, value: Value, bytes: number): void {
    if (bytes > this.#bytesMax / 4) return;
    if (this.#youngBytes + bytes > this.#bytesMax / 2) {
      this.#old = this.#young;
      this.#young = new Map();
      this.#youngBytes = 0;
    }
    this.#young.set(key, { value, bytes });
    this.#youngBytes += bytes;
  }
}
