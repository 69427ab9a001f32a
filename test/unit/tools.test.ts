import { createHash } from 'node:crypto';
import { chmod, mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { Tool } from '#tools/tool-table';
import { locate, type ToolPlace, tool } from '#tools/tools';

const RELEASED = Buffer.from('#!/bin/sh\necho "Version: 9.9.9"\n');
let dir: string;
let server: Server;
let said: string[];
let served: Buffer;

beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'interlock-tools-'));
  said = [];
  served = RELEASED;
  server = createServer((_request, response) => response.end(served)).listen(0, '127.0.0.1');
  await new Promise((resolve) => server.once('listening', resolve));
});
afterEach(async () => {
  await new Promise((resolve) => server.close(resolve));
  await rm(dir, { recursive: true });
});

describe('where a tool comes from', () => {
  test('an official release with the right sum is kept, executable, and said in one line', async () => {
    const path = await locate(wanted(), place());
    expect(path).toBe(join(dir, 'cache', 'opa-v9.9.9'));
    expect(await readFile(path)).toEqual(RELEASED);
    expect(said.at(-1)).toMatch(/^downloaded opa 9\.9\.9, SHA-256 as published/);
    expect(await locate(wanted(), { ...place(), platform: 'none' })).toBe(path); // from the cache
  });

  test('a release with a wrong byte is refused and nothing is kept', async () => {
    served = Buffer.concat([RELEASED, Buffer.from('#')]);
    await expect(locate(wanted(), place())).rejects.toMatchObject({
      code: 'TOOL_MISSING',
      message: expect.stringMatching(/has SHA-256 .* expected/),
    });
    served = RELEASED;
    await expect(locate(wanted(), { ...place(), platform: 'none' })).rejects.toMatchObject({ code: 'TOOL_MISSING' });
  });

  test('without Go, PATH and a public sum it says in one line what to install', async () => {
    const error: Error = (await locate(wanted(), { ...place(), platform: 'plan9-mips' }).catch((cause: Error) => cause)) as Error;
    expect(error.message).toMatch(/^opa 9\.9\.9 is needed .*put OPA into PATH$/);
    expect(error.message.split('\n')).toHaveLength(1);
  });

  test('what a package carries comes first', async () => {
    const carried = join(dir, 'carried');
    await mkdir(carried);
    expect(await locate(wanted(), { ...place(), carried })).toBe(join(dir, 'cache', 'opa-v9.9.9')); // it carries nothing
    await writeFile(join(carried, 'opa.wasm.gz'), '');
    expect(await locate(wanted(), { ...place(), carried })).toBe(join(carried, 'opa.wasm.gz'));
  });

  test('a program of another version in PATH is not used', async () => {
    await program('opa', 'echo "Version: 0.1.0"');
    await expect(locate(wanted(), { ...place(), platform: 'none' })).rejects.toMatchObject({ message: expect.stringContaining('is version 0.1.0') });
    await program('opa', 'echo "Version: 9.9.9"');
    expect(await locate(wanted(), { ...place(), platform: 'none' })).toBe(join(dir, 'opa'));
  });

  test('Go builds it when it is there; a failed build falls through', async () => {
    await program('go', 'echo "no network" >&2; exit 1');
    const path = await locate(wanted(), { ...place(), goModulesDir: dir });
    expect(path).toBe(join(dir, 'cache', 'opa-v9.9.9'));
    expect(said.some((line) => line.startsWith('downloaded'))).toBe(true);
    await rm(path);
    await program('go', 'while [ "$1" != -o ]; do shift; done; cp "$0" "$2"');
    expect(await locate(wanted(), { ...place(), goModulesDir: dir, platform: 'none' })).toBe(path);
    expect(said.at(-1)).toMatch(/^built opa/);
  });

  test('OPA itself can be had', { timeout: 900_000 }, async () => {
    expect(await tool('opa')).toMatch(/opa/);
  });
});

function place(): ToolPlace {
  // /bin for the fake programs' sh, but no real Go or OPA is there
  return { cacheDir: join(dir, 'cache'), path: `${dir}:/usr/bin:/bin`, goModulesDir: null, platform: 'test', say: (line) => said.push(line) };
}

function wanted(): Tool {
  const { port } = server.address() as AddressInfo;
  return {
    name: 'opa',
    version: '9.9.9',
    goPackage: 'example.test/opa',
    goModule: '.',
    goBuildSeconds: 1,
    versionArguments: ['version'],
    versionPattern: /^Version: (\S+)/m,
    releases: { test: { url: `http://127.0.0.1:${port}/opa`, sha256: createHash('sha256').update(RELEASED).digest('hex'), source: 'this test' } },
    install: 'put OPA into PATH',
  };
}

async function program(name: string, script: string): Promise<void> {
  const path = join(dir, name);
  await writeFile(path, `#!/bin/sh\n${script}\n`);
  await chmod(path, 0o755);
}
