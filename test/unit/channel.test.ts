import { describe, expect, test } from 'vitest';
import { channelPair } from '#test/support/channel';

const bytes = (text: string): Uint8Array => Buffer.from(text);

describe('calls', () => {
  test('are answered both ways, in one connection', async () => {
    await using pair = await channelPair({ listener: { handlers: { calls: { echo: (payload) => Buffer.concat([bytes('there: '), payload]) } } } });
    pair.here.handle('echo', (payload) => Promise.resolve(Buffer.concat([bytes('here: '), payload])));
    const there = await pair.here.call('echo', bytes('a'), { deadlineMs: 1_000 });
    const here = await pair.there.call('echo', bytes('b'), { deadlineMs: 1_000 });
    expect([String(Buffer.from(there)), String(Buffer.from(here))]).toEqual(['there: a', 'here: b']);
    expect(pair.here.peer).toMatchObject({ name: 'engine-1', kind: 'engine' });
    expect(pair.there.peer).toMatchObject({ name: 'shop-1', kind: 'enforcer', targets: ['shop'] });
    expect(Buffer.compare(pair.here.exporterKey, pair.there.exporterKey)).toBe(0);
  });
});
