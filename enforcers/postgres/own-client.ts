/** The gateway's own queries: a small simple-protocol client, text results, everything bounded. */
import type { Lease } from '#client/credentials';
import { LIMITS } from '#enforcers/common/limits';
import { HandshakeReader } from '#enforcers/common/reader';
import { InterlockError } from '#schemas/errors';
import { B, F, message, readFields, TERMINATE } from './protocol.ts';
import type { Upstream } from './target.ts';
import { connectTarget, type TargetConnection } from './upstream.ts';

/** Rows of text columns, of the last result set of the text. */
export type OwnQuery = (sql: string) => Promise<readonly (readonly (string | null)[])[]>;

export interface OwnClient {
  readonly connection: TargetConnection;
  readonly query: OwnQuery;
  close(): void;
}

/** @throws InterlockError TARGET_UNREACHABLE */
export async function openOwnClient(upstream: Upstream, lease: Lease, database: string): Promise<OwnClient> {
  const connection = await connectTarget(upstream, lease, { database, application_name: 'interlock', client_encoding: 'UTF8' });
  return {
    connection,
    query: (sql) => ownQuery(connection, sql),
    close: () => connection.socket.end(TERMINATE),
  };
}

/** One query on a connection that nobody else reads at the moment. @throws InterlockError TARGET_UNREACHABLE */
export async function ownQuery(connection: TargetConnection, sql: string): Promise<readonly (readonly (string | null)[])[]> {
  const reader = new HandshakeReader(connection.socket, { ms: LIMITS.ownQueryMs, bytesMax: LIMITS.ownQueryBytes });
  try {
    connection.socket.write(message(F.query, sql));
    return await rowsOf(reader);
  } catch (error) {
    connection.socket.destroy();
    throw new InterlockError('TARGET_UNREACHABLE', `the gateway's own query failed: ${(error as Error).message}`, { cause: error });
  } finally {
    reader.detach();
  }
}

async function rowsOf(reader: HandshakeReader): Promise<(string | null)[][]> {
  let rows: (string | null)[][] = [];
  let failure: string | null = null;
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
      case B.error: {
        const fields = readFields(body);
        failure = `${fields['C'] ?? ''} ${fields['M'] ?? ''}`;
        break;
      }
      case B.ready:
        if (failure !== null) throw new Error(failure);
        return rows;
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
