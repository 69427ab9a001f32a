/** Answers of one turn leave together, where many requests are under way: whole, in order, and also when their connection ends with them. */
import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net';
import { text } from 'node:stream/consumers';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { Turn } from '#enforcers/http/turn';

let server: Server;
let turn: Turn;
beforeEach(async () => {
  turn = new Turn();
  server = createServer();
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
});
afterEach(() => void server.close());

/** Both ends of a connection: the enforcer's, and what its client has read once it ends. */
async function line(): Promise<{ readonly socket: Socket; readonly read: Promise<string> }> {
  const client = connect((server.address() as AddressInfo).port, '127.0.0.1');
  const [socket] = (await once(server, 'connection')) as [Socket];
  return { socket, read: text(client) };
}

function many(requests: number): void {
  for (let i = 0; i < requests; i++) turn.began();
}

test('with few under way an answer leaves at once', async () => {
  many(4);
  const { socket, read } = await line();
  turn.hold(socket);
  expect(socket.writableCorked).toBe(0);
  socket.end('all');
  expect(await read).toBe('all');
});

test('with many under way they leave when the turn is over, each whole and in order', async () => {
  many(5);
  const lines = [await line(), await line(), await line()] as const;
  for (const { socket } of lines)
    for (const piece of ['one ', 'two ', 'three']) {
      turn.hold(socket);
      socket.write(piece);
    }
  expect(lines.map(({ socket }) => socket.writableCorked)).toEqual([1, 1, 1]);
  await new Promise((resolve) => setImmediate(resolve));
  expect(lines.map(({ socket }) => socket.writableCorked)).toEqual([0, 0, 0]);
  for (const { socket } of lines) socket.end();
  expect(await Promise.all(lines.map(({ read }) => read))).toEqual(['one two three', 'one two three', 'one two three']);
});

test('a connection that ends with its answer is told all of it; one that is gone holds nobody up', async () => {
  many(5);
  const [ends, gone, stays] = [await line(), await line(), await line()] as const;
  for (const { socket } of [ends, gone, stays]) {
    turn.hold(socket);
    socket.write('answer');
  }
  ends.socket.end();
  gone.socket.destroy();
  expect(await ends.read).toBe('answer');
  await new Promise((resolve) => setImmediate(resolve));
  stays.socket.end();
  expect(await stays.read).toBe('answer');
});

test('once they are over, the next leaves at once again', async () => {
  many(5);
  turn.over();
  const { socket, read } = await line();
  turn.hold(socket);
  expect(socket.writableCorked).toBe(0);
  socket.end('all');
  expect(await read).toBe('all');
});
