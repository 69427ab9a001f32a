/** An engine's enrolment on a real journal, with a TLS port for those who join, and folders for enforcers. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createServer, type Server } from 'node:tls';
import type { AddressInfo } from 'node:net';
import { type Clock, systemClock } from '#client/clock';
import { Ids } from '#client/ids';
import { silentLog } from '#client/log';
import { type EnrolmentOptions, openEnrolment } from '#engine/enrolment/enrolment';
import type { Enrolment } from '#engine/enrolment/parts';
import type { Event } from '#schemas/event';
import type { FileJournal } from '#engine/journal/file-journal';
import { journalFolder } from './journals.ts';

export interface EnrolmentBed extends AsyncDisposable {
  readonly enrolment: Enrolment;
  readonly journal: FileJournal;
  readonly keysDir: string;
  /** Of the journal, so far. */
  events(): Promise<readonly Event[]>;
  /** Where one joins: `127.0.0.1:port`. */
  readonly address: string;
  /** A folder for one enforcer. */
  folder(): string;
  /** The one that was asked for last. */
  readonly lastFolder: string;
  /** Another port, for whoever stands in the engine's place. */
  port(parts: Pick<Enrolment, 'tls' | 'joining'>): Promise<{ readonly address: string }>;
  /** The same journal and keys in a new process, so to say. */
  restart(): Promise<void>;
}

export async function enrolmentBed(options: Partial<EnrolmentOptions> = {}): Promise<EnrolmentBed> {
  const root = mkdtempSync(join(tmpdir(), 'interlock-enrolment-'));
  const folder = journalFolder();
  const clock: Clock = options.clock ?? systemClock;
  const keysDir = join(root, 'keys');
  const open = async (): Promise<{ journal: FileJournal; enrolment: Enrolment; server: Server }> => {
    const journal = await folder.open({ clock });
    const enrolment = await openEnrolment({ keysDir, journal, clock, ids: new Ids(clock), log: silentLog, ...options });
    return { journal, enrolment, server: await joinPort(enrolment) };
  };
  const close = async ({ journal, enrolment, server }: Awaited<ReturnType<typeof open>>): Promise<void> => {
    enrolment.close();
    await new Promise((resolve) => server.close(resolve));
    await journal.close('drain');
  };
  let running = await open();
  let folders = 0;
  const ports: Server[] = [];
  return {
    keysDir,
    get enrolment() {
      return running.enrolment;
    },
    get journal() {
      return running.journal;
    },
    get address() {
      return `127.0.0.1:${(running.server.address() as AddressInfo).port}`;
    },
    events: async () => {
      const found: Event[] = [];
      for await (const event of running.journal.events()) found.push(event);
      return found;
    },
    folder: () => join(root, `enforcer-${++folders}`),
    get lastFolder() {
      return join(root, `enforcer-${folders}`);
    },
    port: async (parts) => {
      const server = await joinPort(parts);
      ports.push(server);
      return { address: `127.0.0.1:${(server.address() as AddressInfo).port}` };
    },
    restart: async () => {
      await close(running);
      running = await open();
    },
    [Symbol.asyncDispose]: async () => {
      for (const port of ports) port.close();
      await close(running);
      folder[Symbol.dispose]();
      rmSync(root, { recursive: true, force: true });
    },
  };
}

/** As the channel's listener does it: who names the join protocol is handed over. */
export async function joinPort(enrolment: Pick<Enrolment, 'tls' | 'joining'>): Promise<Server> {
  const server = createServer({ ...enrolment.tls(), minVersion: 'TLSv1.3', ALPNProtocols: [enrolment.joining.protocol] }, (socket) =>
    enrolment.joining.serve(socket),
  );
  server.listen(0, '127.0.0.1');
  await new Promise((resolve) => server.once('listening', resolve));
  return server;
}
