/** The composition root's part for the archive: the connection, the forwarder of this process' journal, and what enforcers see of the journal then. */
import type { KeyObject } from 'node:crypto';
import { join } from 'node:path';
import type { Clock } from '#client/clock';
import type { Journal } from '#client/journal';
import type { ArchiveReport } from '#schemas/enforcer-report';
import type { LoadedConfig, NatsConfig } from './config/config.ts';
import type { RedactingLog } from './config/log.ts';
import { readSecret } from './config/secret.ts';
import { Alarms, type Alarm } from './journal/archive/alarms.ts';
import { archivedJournal, type Audit } from './journal/archive/archived-journal.ts';
import { startForwarder, type ForwarderStatus } from './journal/archive/forwarder.ts';
import { startMirror, type Mirror, type MirrorStatus } from './journal/archive/mirror.ts';
import type { FileJournal } from './journal/file-journal.ts';
import { AuditSource } from './nats/audit-source.ts';
import { AuditStream } from './nats/audit-stream.ts';
import { openNats, type NatsLink, type NatsStatus } from './nats/connection.ts';
import type { NatsSettings } from './nats/settings.ts';
import { watchStreams } from './nats/watch.ts';

export interface ArchivingParts {
  readonly journal: FileJournal;
  readonly clock: Clock;
  readonly log: RedactingLog;
  /** How this process shows in the servers' monitoring: `engine`, or the enforcer's name. */
  readonly identity: string;
  /** As it is configured now: it may change while the process runs. */
  readonly backlog?: () => NatsConfig['backlog'] | undefined;
}

export interface ArchivingStatus extends ForwarderStatus {
  readonly nats: NatsStatus;
  /** Open ones: health is red while there is one. */
  readonly alarms: readonly Alarm[];
}

/** The archive as a process with a journal uses it. */
export interface Archiving {
  readonly link: NatsLink;
  readonly alarms: Alarms;
  /** What the operations tell of it. @param strict whether a target of this process asks for that */
  report(strict: boolean): ArchiveReport;
  /** The journal as the enforcer of a target gets it. @param journal the process' own, or a wrapper of it */
  wrap(journal: Journal, audit: Audit): Journal;
  status(): ArchivingStatus;
  /** An enforcer said by which key its journal is signed: from now on the mirror holds its checkpoints against it. */
  learnKey(journal: string, said: { readonly enforcer: string; readonly key: string }): void;
  /** Records that the archive's files hold of a journal; null: none, or this process keeps no such files. */
  archived(journal: string): number | null;
  /** Behind the journal's own close, so that its last record goes too. */
  close(): Promise<void>;
}

export interface MirroringParts {
  /** The process' own, where it forwards one too. */
  readonly archiving: Archiving;
  readonly log: RedactingLog;
  /** The public key of a journal's checkpoints, where it is known (enrolment). */
  readonly keyOf?: (journal: string) => KeyObject | null;
  readonly onRecords?: (journal: string, records: number) => void;
}

/** What an engine does besides: the archive as files in `archive/` of its state directory, and the watch over how the streams are set up. */
export interface Mirroring {
  /** `archive/<journal>/` is a journal's directory for `audit verify`, the projection and exports. */
  readonly dir: string;
  status(): MirrorStatus;
  archived(journal: string): number | null;
  close(): Promise<void>;
}

export function openMirroring(config: LoadedConfig, { archiving, ...rest }: MirroringParts): Mirroring {
  const dir = join(config.stateDir, 'archive');
  const { link, alarms } = archiving;
  const mirror: Mirror = startMirror({ dir, source: new AuditSource(link), alarms, ...rest });
  const watch = watchStreams(link, (stream, wrong) => {
    if (wrong === null) alarms.clear('drift', stream, 'the stream is set up as it must be');
    else alarms.raise('drift', stream, wrong);
  });
  return {
    dir,
    status: () => mirror.status(),
    archived: (journal) => mirror.recordsOf(journal),
    close: async () => {
      await watch.close();
      await mirror.close();
    },
  };
}

/** null: the configuration names no archive. Nothing waits for NATS. */
export function openArchiving(config: LoadedConfig, parts: ArchivingParts): Archiving | null {
  if (config.nats === null) return null;
  const { journal, clock, log, identity } = parts;
  const link = openNats(natsSettings(config.nats, log), { identity, clock, log });
  const alarms = new Alarms(journal, log);
  const { backlog: first } = config.nats;
  const backlog = (): NatsConfig['backlog'] => parts.backlog?.() ?? first;
  const forwarder = startForwarder({ journal, archive: new AuditStream(link), backlog, alarms, clock, log });
  return {
    link,
    alarms,
    wrap: (wrapped, audit) => archivedJournal(wrapped, forwarder, audit),
    report: (strict) => {
      const { connected, error, backlog_records, backlog_bytes, backlog_age_s, full } = forwarder.status();
      return {
        mode: strict ? 'strict' : 'standard',
        // a server that takes nothing is as good as none
        connected: connected && error === null,
        backlog_records,
        backlog_bytes,
        backlog_age_ms: Math.round(backlog_age_s * 1000),
        full,
        drift: alarms.open.length > 0,
      };
    },
    learnKey: () => {}, // of an enforcer, which keeps no such files
    archived: () => null,
    status: () => ({ ...forwarder.status(), nats: link.status(), alarms: alarms.open }),
    close: async () => {
      await forwarder.close();
      await link.close();
    },
  };
}

/** The seed is read for each connection, and hidden from the log before it is used. */
export function natsSettings(nats: NatsConfig, log: RedactingLog): NatsSettings {
  const { servers, tls, streams, replicas, duplicateWindowMs } = nats;
  const credentials = async (): Promise<string> => {
    const secret = await readSecret(nats.credentials);
    log.hide(secret);
    return secret;
  };
  return { servers, tls, streams, replicas, duplicateWindowMs, credentials };
}
