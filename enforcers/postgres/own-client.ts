/** The gateway's own queries: a small simple-protocol client, text results, everything bounded. */
import type { Lease } from '#client/credentials';
import { LIMITS } from '#enforcers/common/limits';
import { HandshakeReader } from '#enforcers/common/reader';
import { InterlockError } from '#schemas/errors';
import { B, F, int16, int32, message, readFields, SYNC, TERMINATE } from './protocol.ts';
import type { Upstream } from './target.ts';
import { connectTarget, type TargetConnection } from './upstream.ts';

/** Rows of text columns, of the last result set of the text. */
export type OwnQuery = (sql: string) => Promise<readonly (readonly (string | null)[])[]>;

/** What became of one text: `failure` is what the target said against it, by field letter. */
export interface OwnRows {
  readonly rows: readonly (readonly (string | null)[])[];
  readonly failure: Readonly<Record<string, string>> | null;
}

export interface OwnClient {
  readonly connection: TargetConnection;
  readonly query: OwnQuery;
  /** One statement with parameters as a client bound them: types of Parse, formats and values of Bind. */
  readonly bound: (sql: string, bound: { readonly types: readonly number[]; readonly params: Uint8Array } | null) => Promise<OwnRows>;
  close(): void;
}

/** @throws InterlockError TARGET_UNREACHABLE */
export async function openOwnClient(upstream: Upstream, lease: Lease, database: string): Promise<OwnClient> {
  const connection = await connectTarget(upstream, lease, { database, application_name: 'interlock', client_encoding: 'UTF8' });
  return {
    connection,
    query: (sql) => ownQuery(connection, sql),
    bound: (sql, bound) => exchanged(connection, boundMessages(sql, bound?.types ?? [], bound?.params ?? NO_PARAMS)),
    close: () => connection.socket.end(TERMINATE),
  };
}

/** One query on a connection that nobody else reads at the moment. @throws InterlockError TARGET_UNREACHABLE */
export async function ownQuery(connection: TargetConnection, sql: string): Promise<readonly (readonly (string | null)[])[]> {
  const { rows, failure } = await exchanged(connection, message(F.query, sql));
  if (failure === null) return rows;
  connection.socket.destroy();
  throw unanswered(`${failure['C'] ?? ''} ${failure['M'] ?? ''}`);
}

/** Formats and values of Bind: none of either. */
const NO_PARAMS: Uint8Array = Buffer.concat([int16(0), int16(0)]);

function boundMessages(sql: string, types: readonly number[], params: Uint8Array): Buffer {
  return Buffer.concat([
    message(F.parse, '', sql, int16(types.length), ...types.map(int32)),
    message(F.bind, '', '', params, int16(0)),
    message(F.execute, '', int32(0)),
    SYNC,
  ]);
}

/** @throws InterlockError TARGET_UNREACHABLE: no answer; the connection is gone then */
async function exchanged(connection: TargetConnection, messages: Buffer): Promise<OwnRows> {
  const reader = new HandshakeReader(connection.socket, { ms: LIMITS.ownQueryMs, bytesMax: LIMITS.ownQueryBytes });
  try {
    connection.socket.write(messages);
    return await rowsOf(reader);
  } catch (error) {
    connection.socket.destroy();
    throw unanswered((error as Error).message, error);
  } finally {
    reader.detach();
  }
}

function unanswered(why: string, cause?: unknown): InterlockError {
  return new InterlockError('TARGET_UNREACHABLE', `the gateway's own query failed: ${why}`, { cause });
}

async function rowsOf(reader: HandshakeReader): Promise<OwnRows> {
  let rows: (string | null)[][] = [];
  let failure: Record<string, string> | null = null;
  for (;;) {
    const head = await reader.take(5);
    const body = await reader.take(head.readInt32BE(1) - 4);
    switch (head[0]) {
      case B.rowDescription:
        rows = [];
        break;
      case B.dataRow:
        rows.push(row(body));
        break;
      case B.error:
        failure ??= readFields(body);
        break;
      case B.ready:
        return { rows, failure };
    }
  }
}

/** Int16 count, then for each column Int32 length (-1: NULL) and that many bytes. */
export function row(body: Buffer): (string | null)[] {
  const columns: (string | null)[] = [];
  let at = 2;
  for (let column = body.readInt16BE(0); column > 0; column--) {
    const length = body.readInt32BE(at);
    at += 4;
    columns.push(length < 0 ? null : body.toString('utf8', at, at + length));
    if (length > 0) at += length;
  }
  return columns;
}
