/** Where a live stream is written to. */
export interface Outlet {
  /** Bytes that the client has not taken yet. */
  readonly waiting: number;
  write(text: string): void;
}
