/** What the engine says of a target while it is enforced: read whenever it is asked for, never kept. */
export interface Said<A> {
  readonly env: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly approvals: A;
  /** What refusals and notices point to. */
  readonly publicUrl: string;
}

/** The same target; what is said of it is in force for what begins after it was said. */
export function withSaid<T extends object, A>(target: T, said: () => Said<A>): T & Said<A> {
  const now: Said<A> = {
    get env() {
      return said().env;
    },
    get labels() {
      return said().labels;
    },
    get approvals() {
      return said().approvals;
    },
    get publicUrl() {
      return said().publicUrl;
    },
  };
  return Object.defineProperties(target, Object.getOwnPropertyDescriptors(now)) as T & Said<A>;
}
