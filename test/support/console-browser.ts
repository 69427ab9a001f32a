/** What a browser does on the console's pages: one cookie jar, its own Origin, the CSRF token of its session. */
import { createInterface } from 'node:readline';
import { Readable } from 'node:stream';

export interface ConsoleAnswer {
  readonly status: number;
  readonly body: unknown;
  readonly headers: Headers;
}

/** Server-sent events as they come. */
export interface LiveReader {
  /** Data of the next event of this name; others are passed over. */
  next(name: string): Promise<unknown>;
  readonly ended: Promise<void>;
  /** Of the events so far. */
  readonly ids: readonly string[];
  close(): void;
}

export class ConsoleBrowser {
  readonly #base: string;
  readonly cookies = new Map<string, string>();
  csrf = '';

  constructor(base: string) {
    this.#base = base;
  }

  /** @returns `Me` */
  async login(token: string): Promise<unknown> {
    const { status, body } = await this.post('/login/token', { token });
    if (status !== 200) throw new Error(`the login was refused: ${JSON.stringify(body)}`);
    this.csrf = (body as { csrf: string }).csrf;
    return body;
  }

  async get(path: string, headers: Readonly<Record<string, string>> = {}): Promise<ConsoleAnswer> {
    return await this.#answer(await this.send(path, { headers: { ...headers } }));
  }

  async post(path: string, body: unknown, headers: Readonly<Record<string, string>> = {}): Promise<ConsoleAnswer> {
    const own = { origin: new URL(this.#base).origin, 'content-type': 'application/json', 'x-interlock-csrf': this.csrf };
    return await this.#answer(await this.send(path, { method: 'POST', body: JSON.stringify(body), headers: { ...own, ...headers } }));
  }

  /** Redirects are answers. */
  async send(path: string, init: RequestInit = {}): Promise<Response> {
    const headers = new Headers(init.headers);
    if (this.cookies.size > 0) headers.set('cookie', [...this.cookies].map(([name, value]) => `${name}=${value}`).join('; '));
    const response = await fetch(new URL(path, this.#base), { ...init, headers, redirect: 'manual' });
    for (const cookie of response.headers.getSetCookie()) this.#keep(cookie);
    return response;
  }

  async live(lastEventId?: string): Promise<LiveReader> {
    const response = await this.send('/v1/live', lastEventId === undefined ? {} : { headers: { 'last-event-id': lastEventId } });
    if (response.status !== 200) throw new Error(`live: ${response.status} ${await response.text()}`);
    return readLive(response);
  }

  #keep(cookie: string): void {
    const [pair = ''] = cookie.split(';');
    const at = pair.indexOf('=');
    if (/; Max-Age=0(;|$)/.test(cookie)) this.cookies.delete(pair.slice(0, at));
    else this.cookies.set(pair.slice(0, at), pair.slice(at + 1));
  }

  async #answer(response: Response): Promise<ConsoleAnswer> {
    const text = await response.text();
    const json = response.headers.get('content-type') === 'application/json';
    return { status: response.status, body: json ? (JSON.parse(text) as unknown) : text, headers: response.headers };
  }
}

/** Reads eagerly: that it ended is known also when nobody asks for the next event. */
export function readLive(response: Response): LiveReader {
  const body = Readable.fromWeb(response.body as never);
  const ids: string[] = [];
  const come: { readonly event: string; readonly data: unknown }[] = [];
  let wake = Promise.withResolvers<void>();
  let over = false;
  const tell = (): void => {
    wake.resolve();
    wake = Promise.withResolvers();
  };
  const ended = pump(body, ids, (event) => {
    come.push(event);
    tell();
  }).finally(() => {
    over = true;
    tell();
  });
  return {
    ids,
    ended,
    close: () => body.destroy(),
    async next(name) {
      for (;;) {
        const at = come.findIndex(({ event }) => event === name);
        if (at >= 0) return come.splice(0, at + 1).at(-1)?.data;
        if (over) throw new Error(`the stream ended before an event \`${name}\``);
        await wake.promise;
      }
    },
  };
}

async function pump(body: Readable, ids: string[], tell: (event: { readonly event: string; readonly data: unknown }) => void): Promise<void> {
  let event = '';
  try {
    for await (const line of createInterface({ input: body, crlfDelay: Infinity })) {
      if (line.startsWith('id: ')) ids.push(line.slice(4));
      if (line.startsWith('event: ')) event = line.slice(7);
      if (line.startsWith('data: ')) tell({ event, data: JSON.parse(line.slice(6)) as unknown });
    }
  } catch {
    // cut off, which is an end too
  }
}
