/** A started process, whichever of the three it is: what it says of itself, and how it ends. */
import { InterlockError } from '#schemas/errors';
import type { Enforcer } from '#enforcers/common/enforcer';
import type { Base } from './base.ts';
import { openReloadingProcess } from './reloading.ts';

/** A gateway, an engine or an enforcer that accepts. */
export interface Running {
  readonly revision: string;
  /** Empty: it has none. */
  readonly api: string;
  /** Where enforcers connect; absent: they are in this process, or it is one. */
  readonly channel?: string;
  readonly targets: Readonly<Record<string, RunningTarget>>;
  /** The journal's folder. */
  readonly journal: string;
  /** The file with the public key that verifies it. */
  readonly publicKey: string;
  reload(): Promise<void>;
  /** No new sessions; running statements finish; then everything ends. */
  drain(): Promise<void>;
  /** Ends everything now. */
  close(): Promise<void>;
  /** Resolves when it has ended as asked; rejects when it had to end: a dead journal. */
  readonly finished: Promise<void>;
}

export interface RunningTarget {
  readonly protocol: string;
  readonly address: string;
  /** Of a database server; its default first. */
  readonly databases?: readonly string[];
}

/** By target. */
export type Enforcers = readonly (readonly [target: string, enforcer: Enforcer])[];

export interface Started {
  readonly base: Base;
  readonly enforcers: Enforcers;
  readonly api: string;
  readonly revision: () => string;
  readonly reload: () => Promise<void>;
  readonly channel?: string;
  /** Beside the enforcers, before everything ends. */
  readonly draining?: () => Promise<void>;
  /** Resolves when a part can go on no more: everything ends, and the next start begins with what is left. */
  readonly failed?: Promise<Error>;
  readonly stack: AsyncDisposableStack;
}

export function running({ base, enforcers, api, channel, revision, reload, draining, failed, stack }: Started): Running {
  const { journal, config, log, publicKey } = base;
  const finished = Promise.withResolvers<void>();
  let ending: Promise<void> | null = null;
  const close = (): Promise<void> => (ending ??= stack.disposeAsync().then(finished.resolve, finished.reject));
  journal.onFault((fault) => {
    // nothing may run without its record: everything ends, and says why (I6)
    log.error({ fault: fault.message }, 'the journal cannot be written; the gateway ends');
    void close();
    finished.reject(new InterlockError('JOURNAL_UNAVAILABLE', fault.message, { cause: fault }));
  });
  void failed?.then((error) => {
    void close();
    finished.reject(new InterlockError('APPROVAL_UNAVAILABLE', error.message, { cause: error }));
  });
  const reloading = openReloadingProcess(base, { enforcers, again: reload });
  stack.defer(() => reloading.close());
  finished.promise.catch(() => {}); // whoever waits for it is told; nobody waiting is no crash
  return {
    get revision() {
      return revision();
    },
    api,
    ...(channel === undefined ? {} : { channel }),
    publicKey,
    journal: config.journal.dir,
    finished: finished.promise,
    close,
    targets: Object.fromEntries(enforcers.map(([name, enforcer]) => [name, runningTarget(enforcer)])),
    reload: () => reloading.reload(),
    drain: async () => {
      await Promise.all([draining?.(), ...enforcers.map(([, enforcer]) => enforcer.drain())]);
      await close();
    },
  };
}

function runningTarget({ protocol, address, databases }: Enforcer): RunningTarget {
  return { protocol, address: hostPort(address), ...(databases === undefined ? {} : { databases }) };
}

export function hostPort({ host, port }: Enforcer['address']): string {
  return host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`;
}
