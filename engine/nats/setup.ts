/** Makes the streams that are missing and compares those that are there; changes nothing that exists. */
import type { NatsConnection } from '@nats-io/transport-node';
import type { StreamInfo } from '@nats-io/jetstream';
import type { NatsLink } from './connection.ts';
import { LIMITS } from './limits.ts';
import { answerOf, API, ApiRefused, request } from './request.ts';
import { differences, type Wanted, wantedStreams } from './streams.ts';

export interface StreamReport {
  readonly stream: string;
  readonly state: 'created' | 'as it must be' | 'different';
  /** Each in words; a stream that differs is changed by its operator, not by us. */
  readonly differences: readonly string[];
}

/** @throws InterlockError ARCHIVE_UNAVAILABLE when NATS does not answer, or refuses */
export async function setUpStreams(link: NatsLink): Promise<readonly StreamReport[]> {
  const connection = await link.connection();
  const reports: StreamReport[] = [];
  for (const wanted of wantedStreams(link.settings)) reports.push(await setUp(connection, wanted));
  return reports;
}

async function setUp(connection: NatsConnection, wanted: Wanted): Promise<StreamReport> {
  const found = await streamInfo(connection, wanted.name);
  if (found !== null) return reportOf(wanted, found, 'as it must be');
  const created = await request(connection, `$JS.API.STREAM.CREATE.${wanted.name}`, JSON.stringify(wanted), LIMITS.requestMs);
  return reportOf(wanted, answerOf<StreamInfo>(created), 'created');
}

function reportOf(wanted: Wanted, found: StreamInfo, otherwise: StreamReport['state']): StreamReport {
  const differing = differences(wanted, found.config);
  return { stream: wanted.name, state: differing.length === 0 ? otherwise : 'different', differences: differing };
}

/** null: there is no such stream. */
export async function streamInfo(connection: NatsConnection, stream: string): Promise<StreamInfo | null> {
  try {
    return answerOf<StreamInfo>(await request(connection, `$JS.API.STREAM.INFO.${stream}`, '', LIMITS.requestMs));
  } catch (error) {
    if (error instanceof ApiRefused && error.number === API.streamNotFound) return null;
    throw error;
  }
}
