/**
 * What is behind everything that is measured: the least that answers HTTP/1.1 with a document of its own. In a process of its own; prints its port.
 * `…/stream` answers a hundred megabytes, no faster than they are taken.
 */
import { createServer, type Socket } from 'node:net';
import { DOCUMENTS, STREAM_CHUNK, STREAMED_MB } from './documents.ts';

const head = (length: string): string => `HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n${length}\r\n`;
const ANSWERS = Object.fromEntries(
  Object.entries(DOCUMENTS).map(([name, document]) => [name, Buffer.concat([Buffer.from(head(`content-length: ${document.length}\r\n`)), document])]),
);

const server = createServer({ noDelay: true }, (socket) => {
  let rest = '';
  socket.on('error', () => socket.destroy());
  socket.on('data', (chunk) => {
    rest += chunk.toString('latin1');
    for (let end = rest.indexOf('\r\n\r\n'); end >= 0; end = rest.indexOf('\r\n\r\n')) {
      const path = rest.slice(0, end).split(' ', 2)[1]?.split('?', 1)[0] ?? '';
      rest = rest.slice(end + 4);
      answer(socket, path.split('/').at(-1) ?? '');
    }
  });
});
server.listen(0, '127.0.0.1', () => {
  const address = server.address();
  console.log(typeof address === 'object' && address ? address.port : 0);
});
process.on('SIGTERM', () => process.exit(0));

function answer(socket: Socket, name: string): void {
  if (name === 'stream') return stream(socket);
  const found = ANSWERS[name];
  if (found !== undefined) socket.write(found);
  else socket.end('HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\n\r\n');
}

function stream(socket: Socket): void {
  socket.write(`${head('transfer-encoding: chunked\r\n')}1\r\n[\r\n`);
  const framed = Buffer.concat([Buffer.from(`${STREAM_CHUNK.length.toString(16)}\r\n`), STREAM_CHUNK, Buffer.from('\r\n')]);
  let left = Math.ceil((STREAMED_MB * 1e6) / STREAM_CHUNK.length);
  const more = (): void => {
    while (left-- > 0) if (!socket.write(framed)) return;
    socket.off('drain', more);
    socket.write('2\r\n0]\r\n0\r\n\r\n');
  };
  socket.on('drain', more);
  more();
}
