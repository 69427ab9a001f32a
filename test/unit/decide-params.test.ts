/** P10: a policy that reads parameters sees which of them are code. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { systemClock } from '#client/clock';
import { Ids } from '#client/ids';
import { silentLog } from '#client/log';
import { paramsThatFlowToCode, PostgresFacts } from '#engine/facts/postgres/reader';
import { openDecisionService } from '#engine/decide/service';
import { tool } from '#tools/tools';

const POLICY = `package policies.test.params
allow contains {"code": "ALL", "reason": "everything else"}
deny contains {"code": "CODE_PARAM", "reason": "a parameter is code"} if { some param in input.sql.params; param.flows_to_code }
`;

test('P10: flows_to_code is set for the parameter that is SQL text, and only for it', async () => {
  const dir = mkdtempSync(join(tmpdir(), 'interlock-params-'));
  writeFileSync(join(dir, 'params.rego'), POLICY);
  const facts = new PostgresFacts({ majors: [15] });
  const service = await openDecisionService({
    policies: { dir, data: [], watch: false, maxAgeMs: 60_000 },
    masks: { rewrite: (text) => ({ ok: true, rewrite: { text, masked: [], toOriginal: (at) => at } }) },
    facts: { read: (text, context) => facts.read(text, context), paramsThatFlowToCode },
    clock: systemClock,
    ids: new Ids(systemClock),
    log: silentLog,
    record: () => {},
    opa: () => tool('opa'),
  });
  const ask = async (statement: string): Promise<readonly [boolean[], string[]]> => {
    const value = { type: 'text', value: 'x', encoding: 'text', flows_to_code: false } as const;
    const { request, decision } = await service.dryRun({
      action: 'sql.execute',
      statement,
      params: [
        { index: 1, ...value },
        { index: 2, ...value },
      ],
      resource: { type: 'postgresql', id: 'shop', properties: { env: 'test', labels: {}, server_version: '15' } },
      subject: { type: 'user', id: 'a|b', properties: { login: 'b', groups: [] } },
    });
    return [request.sql?.params.map((param) => param.flows_to_code) ?? [], decision.reasons.map((reason) => reason.code)];
  };
  expect(await ask("SELECT $1::text, query_to_xml($2, true, true, '')")).toEqual([[false, true], ['CODE_PARAM']]);
  expect(await ask('SELECT $1::text, $2::text')).toEqual([[false, false], ['ALL']]);
  service.close();
  await facts.close();
  rmSync(dir, { recursive: true, force: true });
});
