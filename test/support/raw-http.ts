/** HTTP/1.1 as bytes: what a test sends is what leaves, and what comes back is read until the connection ends or an answer is whole. */
import { connect } from 'node:net';

export interface RawAnswer {
  readonly status: number;
  readonly headers: Record<string, string>;
  readonly body: string;
  /** All bytes, of all answers. */
  readonly all: string;
  readonly closed: boolean;
}

/** Sends, and waits until the peer closes or says nothing for `quietMs`. */
export async function sendRaw(port: number, bytes: string | readonly string[], options: { readonly quietMs?: number } = {}): Promise<RawAnswer> {
  const { quietMs = 250 } = options;
  const { promise, resolve } = Promise.withResolvers<boolean>();
  const socket = connect(port, '127.0.0.1');
  let all = '';
  let quiet: NodeJS.Timeout | null = null;
  socket.on('data', (part: Buffer) => {
    all += part.toString('latin1');
    if (quiet !== null) clearTimeout(quiet);
    quiet = setTimeout(() => resolve(false), quietMs);
  });
  socket.on('error', () => resolve(true));
  socket.on('close', () => resolve(true));
  for (const piece of typeof bytes === 'string' ? [bytes] : bytes) {
    socket.write(Buffer.from(piece, 'latin1'));
    if (typeof bytes !== 'string') await new Promise((next) => setImmediate(next));
  }
  const closed = await promise;
  if (quiet !== null) clearTimeout(quiet);
  socket.destroy();
  return { ...parse(all), all, closed };
}

function parse(all: string): Pick<RawAnswer, 'status' | 'headers' | 'body'> {
  const text = all.replace(/^HTTP\/1\.1 1\d\d[^]*?\r\n\r\n/, '');
  const end = text.indexOf('\r\n\r\n');
  const [line = '', ...lines] = text.slice(0, end < 0 ? 0 : end).split('\r\n');
  const headers = Object.fromEntries(lines.map((one) => [one.slice(0, one.indexOf(':')).toLowerCase(), one.slice(one.indexOf(':') + 1).trim()]));
  return { status: Number(line.split(' ')[1] ?? 0), headers, body: end < 0 ? '' : text.slice(end + 4) };
}
