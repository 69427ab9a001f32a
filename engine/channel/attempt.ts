/** One attempt to connect to one engine: TCP, TLS, both certificates, hello. */
import { connect } from 'node:tls';
import { Connection } from './connection.ts';
import { VERSIONS } from './hello.ts';
import type { ChannelLimits, DialerOptions, TlsIdentity } from './parts.ts';
import { authorised, dialerTls, staleness, verifiedPeer } from './secure.ts';

export interface AttemptOptions extends Pick<DialerOptions, 'authorise' | 'handlers' | 'versions' | 'software' | 'clock' | 'log'> {
  readonly host: string;
  readonly port: number;
  readonly tls: TlsIdentity;
  readonly limits: ChannelLimits;
  /** Called once: both sides agreed. */
  readonly onOpen: (connection: Connection) => void;
  /** Or this, once. */
  readonly onFailed: (why: string) => void;
  /** The engine asks to be left. */
  readonly onLeave: (connection: Connection) => void;
}

export interface Attempt {
  abort(): void;
}

export function attemptEngine(options: AttemptOptions): Attempt {
  const { host, port, tls, limits, clock } = options;
  let over = false;
  const failed = (why: string): void => {
    if (over) return;
    over = true;
    clearTimeout(patience);
    socket.destroy();
    options.onFailed(why);
  };
  const opened = (connection: Connection): void => {
    over = true;
    clearTimeout(patience);
    options.onOpen(connection);
  };
  const patience = setTimeout(() => failed(`no agreement within ${limits.preAuthMs} ms`), limits.preAuthMs);
  const socket = connect({ host, port, ...dialerTls(tls) });
  socket.once('error', (error) => failed(error.message));
  socket.once('close', () => failed(staleness(tls, clock.wallUs() / 1000) ?? NOT_ACCEPTED));
  socket.once('secureConnect', () => {
    try {
      const connection = shakeHands(socket, options, opened);
      connection.onClose((reason) => failed(reason.message));
    } catch (error) {
      failed(wordsOf(error));
    }
  });
  return { abort: () => failed('given up') };
}

const NOT_ACCEPTED = 'it closed the connection, as it does with a certificate that it does not accept';

/** @throws InterlockError CHANNEL_REFUSED: it is no engine that we speak to */
function shakeHands(socket: ReturnType<typeof connect>, options: AttemptOptions, onOpen: (connection: Connection) => void): Connection {
  const { authorise, limits, handlers = {}, versions = VERSIONS, software, clock, log, onLeave } = options;
  const { peer, certificate } = verifiedPeer(socket, 'engine', authorise, clock.wallUs() / 1000);
  const fallen = (): string | null => {
    try {
      authorised(certificate, 'engine', authorise, clock.wallUs() / 1000);
      return null;
    } catch (error) {
      return wordsOf(error);
    }
  };
  const connection: Connection = new Connection({
    socket,
    side: 'dialer',
    peer,
    limits,
    handlers,
    versions,
    software,
    clock,
    log,
    onOpen,
    onLeave: () => onLeave(connection),
    fallen,
  });
  return connection;
}

function wordsOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
