/** The tests of the shipped packs are looked at, too: with any one of their rules taken out, a test fails. */
import { execFile } from 'node:child_process';
import { cp, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import { tool } from '#tools/tools';

const packs = fileURLToPath(new URL('../../policies', import.meta.url));

/** Without these nothing is judged otherwise. */
const EQUIVALENT: readonly string[] = [
  // `in` a list that is not defined is as undefined as in an empty one; the default says what holds
  'postgres/guardrails/data.rego: default own_application_names := []',
];

test('each rule of the shipped packs is missed by a test when it is gone', { timeout: 300_000 }, async () => {
  const opa = await tool('opa');
  const dir = await mkdtemp(join(tmpdir(), 'interlock-mutation-'));
  try {
    await cp(packs, dir, { recursive: true });
    expect(await passes(opa, dir)).toBe(true);
    const files = (await readdir(dir, { recursive: true })).filter((file) => file.endsWith('.rego') && !file.endsWith('_test.rego'));
    let rules = 0;
    const missed: string[] = [];
    for (const file of files) {
      const text = await readFile(join(dir, file), 'utf8');
      const own = await ownTests(opa, dir, file);
      for (const { name, without } of mutants(text)) {
        rules++;
        await writeFile(join(dir, file), without);
        if ((await passes(opa, own)) && (await passes(opa, dir))) missed.push(`${file}: ${name}`);
      }
      await writeFile(join(dir, file), text);
    }
    expect(missed).toEqual(EQUIVALENT);
    expect(rules).toBeGreaterThan(100);
  } finally {
    await rm(dir, { recursive: true, force: true });
  }
});

/** The tests beside a file, which mostly miss its rules first: the smallest folder around it that passes alone. */
async function ownTests(opa: string, dir: string, file: string): Promise<string> {
  for (let folder = dirname(file); folder !== '.'; folder = dirname(folder)) if (await passes(opa, join(dir, folder))) return join(dir, folder);
  return dir;
}

/** As `opa fmt` writes them, rules are paragraphs. */
function mutants(text: string): readonly { readonly name: string; readonly without: string }[] {
  const paragraphs = text.split(/\n\n(?=\S)/);
  return paragraphs.flatMap((paragraph, at) => {
    const [first] = paragraph.split('\n').filter((line) => line.trim() !== '' && !line.startsWith('#'));
    if (first === undefined || first.startsWith('package ')) return [];
    return [{ name: first, without: paragraphs.filter((_, other) => other !== at).join('\n\n') }];
  });
}

/** What does not compile any more does not pass. */
function passes(opa: string, dir: string): Promise<boolean> {
  return new Promise((done) => {
    execFile(opa, ['test', '--ignore', '*cases.yaml', dir], (error) => done(error === null));
  });
}
