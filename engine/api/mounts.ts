/** Endpoints of enforcers that stand on the API's address too: what is asked of them is theirs to answer, from the first byte. */
import type { IncomingMessage, ServerResponse } from 'node:http';

export type MountedHandler = (request: IncomingMessage, response: ServerResponse) => void;

export class Mounts {
  readonly #byTarget = new Map<string, MountedHandler>();

  /** Answers `/mcp/<target>` and its metadata, until what is returned is called. */
  add(target: string, handler: MountedHandler): () => void {
    this.#byTarget.set(target, handler);
    return () => {
      if (this.#byTarget.get(target) === handler) this.#byTarget.delete(target);
    };
  }

  /** null: none of them stands there. */
  find(url: string): MountedHandler | null {
    const match = /^(?:\/\.well-known\/oauth-protected-resource)?\/mcp\/([a-z0-9][a-z0-9_-]{0,62})$/.exec(url);
    return this.#byTarget.get(match?.[1] ?? '') ?? null;
  }
}
