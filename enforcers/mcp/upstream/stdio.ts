/** A server as a process of ours: one message a line. It gets nothing of the gateway's environment, and ends with its session. */
import { spawn, type ChildProcess } from 'node:child_process';
import { createInterface } from 'node:readline';
import type { Log } from '#client/log';
import { InterlockError } from '#schemas/errors';
import { MCP_LIMITS } from '../limits.ts';
import { readMessage, type RpcMessage, type RpcNotification, type RpcOutcome, type RpcRequest } from '../message.ts';
import { META, type Era, type RpcId } from '../protocol.ts';
import { begin } from './dialogue.ts';
import { answerOf, notificationOf, requestOf, SILENT, stopped } from './wire.ts';
import type { Introduction, Link, Outgoing, ServerSelf, Sink, Written } from './link.ts';

export interface ProcessPlace {
  readonly command: readonly string[];
  readonly cwd: string;
  /** All of its environment. */
  readonly env: Readonly<Record<string, string>>;
  readonly log: Log;
}

/** @throws InterlockError TARGET_UNREACHABLE, ANSWER_REFUSED */
export async function openProcessLink(place: ProcessPlace, who: Introduction): Promise<Link> {
  const link = new ProcessLink(place);
  try {
    await link.begin(who);
    return link;
  } catch (error) {
    link.close();
    throw error;
  }
}

interface Waiting {
  readonly sink: Sink;
  readonly token: unknown;
  readonly resolve: (outcome: RpcOutcome) => void;
  readonly reject: (error: Error) => void;
}

class ProcessLink implements Link {
  readonly #process: ChildProcess;
  readonly #waiting = new Map<RpcId, Waiting>();
  readonly #listeners = new Set<Sink>();
  #self: ServerSelf | null = null;
  #next = 0;
  #fault: InterlockError | null = null;
  #line: Buffer = Buffer.alloc(0);

  constructor({ command: [program = '', ...args], cwd, env, log }: ProcessPlace) {
    this.#process = spawn(program, args, { cwd, env: { ...env }, stdio: ['pipe', 'pipe', 'pipe'], shell: false });
    this.#process.once('error', (error: NodeJS.ErrnoException) => this.#end(`the server cannot be started (${error.code ?? 'fault'})`));
    this.#process.once('exit', (code, signal) => this.#end(`the server ended (${signal ?? code ?? 'fault'})`));
    this.#process.stdin?.on('error', () => this.#end('the server reads no more'));
    this.#process.stdout?.on('data', (chunk: Buffer) => this.#read(chunk));
    if (this.#process.stderr !== null) {
      createInterface({ input: this.#process.stderr }).on('line', (line) =>
        log.debug({ server: line.slice(0, MCP_LIMITS.stderrLineBytes) }, 'a server said'),
      );
    }
  }

  get self(): ServerSelf {
    if (this.#self === null) throw new InterlockError('INTERNAL', 'a link that has not begun');
    return this.#self;
  }

  get alive(): boolean {
    return this.#fault === null;
  }

  ready(): null {
    return null;
  }

  async begin(who: Introduction): Promise<void> {
    const ask = (outgoing: Outgoing, _era: Era): Promise<RpcOutcome> => {
      const written = this.write(outgoing);
      return this.send(written, written.bytes, SILENT, AbortSignal.timeout(MCP_LIMITS.ownMs));
    };
    this.#self = await begin(ask, who);
    if (this.#self.era === 'legacy') await this.notify('notifications/initialized', {});
  }

  write(outgoing: Outgoing): Written {
    return requestOf((this.#next += 1), outgoing);
  }

  send({ id, outgoing }: Written, bytes: Uint8Array, sink: Sink, signal: AbortSignal): Promise<RpcOutcome> {
    if (this.#fault !== null) return Promise.reject(this.#fault);
    const { promise, resolve, reject } = Promise.withResolvers<RpcOutcome>();
    this.#waiting.set(id, { sink, token: outgoing.meta['progressToken'], resolve, reject });
    const left = (): void => {
      void this.notify('notifications/cancelled', { requestId: id }).catch(() => {});
      reject(stopped(signal));
    };
    if (signal.aborted) left();
    signal.addEventListener('abort', left, { once: true });
    this.#write(bytes);
    return promise.finally(() => {
      this.#waiting.delete(id);
      signal.removeEventListener('abort', left);
    });
  }

  notify(method: string, params: Readonly<Record<string, unknown>>): Promise<void> {
    this.#write(notificationOf(method, params));
    return Promise.resolve();
  }

  answer(id: RpcId, outcome: RpcOutcome): Promise<void> {
    this.#write(answerOf(id, outcome));
    return Promise.resolve();
  }

  listen(sink: Sink, signal: AbortSignal): Promise<void> {
    this.#listeners.add(sink);
    const { promise, resolve } = Promise.withResolvers<void>();
    if (signal.aborted) resolve();
    signal.addEventListener('abort', () => resolve(), { once: true });
    this.#process.once('exit', () => resolve());
    return promise.finally(() => this.#listeners.delete(sink));
  }

  close(): void {
    this.#end('the session ended');
    this.#process.stdin?.end();
    const timer = setTimeout(() => this.#process.kill('SIGKILL'), MCP_LIMITS.processEndMs);
    timer.unref();
    this.#process.once('exit', () => clearTimeout(timer));
    this.#process.kill('SIGTERM');
  }

  #write(bytes: Uint8Array): void {
    if (this.#fault !== null) return;
    this.#process.stdin?.write(bytes);
    this.#process.stdin?.write('\n');
  }

  #read(chunk: Buffer): void {
    let rest = this.#line.length === 0 ? chunk : Buffer.concat([this.#line, chunk]);
    for (let end = rest.indexOf(10); end >= 0; end = rest.indexOf(10)) {
      const line = rest.subarray(0, end);
      rest = rest.subarray(end + 1);
      if (line.length > 0 && this.#fault === null) this.#message(line);
    }
    this.#line = Buffer.from(rest);
    if (this.#line.length > MCP_LIMITS.answerBytes) this.#end('the server’s message is too long');
  }

  #message(line: Uint8Array): void {
    const message = readMessage(line);
    // a process that writes what is no message cannot be followed any further
    if (message.kind === 'malformed') return this.#end('the server’s message is not one of MCP');
    this.#dispatch(message);
  }

  #dispatch(message: RpcMessage): void {
    switch (message.kind) {
      case 'answer':
        if (message.id !== null) this.#waiting.get(message.id)?.resolve(message.outcome);
        return;
      case 'notification':
        for (const sink of this.#sinksOf(message)) sink.notified(message);
        return;
      case 'request':
        for (const sink of this.#sinksOf(message).slice(0, 1)) sink.asked(message);
        return;
    }
  }

  /** All messages share one channel: progress belongs to its token, all else to whoever listens, or to the one that waits. */
  #sinksOf({ method, params, meta }: RpcNotification | RpcRequest): readonly Sink[] {
    const subscription = meta[META.subscription];
    if (typeof subscription === 'number') return [this.#waiting.get(subscription)?.sink ?? SILENT];
    const waiting = [...this.#waiting.values()];
    if (method === 'notifications/progress') return waiting.filter(({ token }) => token === params['progressToken']).map(({ sink }) => sink);
    const about = method === 'notifications/message' || !method.startsWith('notifications/');
    if (about && waiting.length > 0) return waiting.slice(-1).map(({ sink }) => sink);
    return [...this.#listeners];
  }

  #end(why: string): void {
    if (this.#fault !== null) return;
    this.#fault = new InterlockError('TARGET_UNREACHABLE', why);
    for (const { reject } of this.#waiting.values()) reject(this.#fault);
    this.#process.kill('SIGTERM');
  }
}
