/** Sections `engine` and `enforcer`, resolved and checked: which process a file is for, and what of it is the other half's. */
import { join } from 'node:path';
import type { Document } from 'yaml';
import { Config, Target } from '#schemas/config';
import type { Engine, Enforcer } from '#schemas/config-apart';
import { hostPort } from './address.ts';
import type { Schema } from './check.ts';
import type { EngineConfig, EnforcerConfig, LoadedConfig, Role } from './config.ts';
import type { Findings } from './places.ts';
import type { Absolute } from './secret-source.ts';

/** Keys that the engine alone decides on. */
const CENTRAL = ['policies', 'identity', 'approvals'] as const;
const CENTRAL_OF_TARGET = ['credential', 'env', 'labels', 'approvals'] as const;
/** Keys of a target that its enforcer alone needs. */
const BESIDE = ['listen', 'tls', 'limits', 'audit', 'judging'] as const;

export function resolveEngine(raw: Engine | undefined): EngineConfig | null {
  return raw === undefined ? null : { listen: hostPort(raw.listen) };
}

export function resolveEnforcer(raw: Enforcer | undefined, stateDir: string, absolute: Absolute): EnforcerConfig | null {
  if (raw === undefined) return null;
  return {
    engines: raw.engines,
    identityDir: raw.identity === undefined ? join(stateDir, 'identity') : absolute(raw.identity),
    trusted: raw.trusted?.map(absolute) ?? null,
  };
}

export function roleOf({ engine, enforcer }: { readonly engine?: unknown; readonly enforcer?: unknown }): Role {
  if (enforcer !== undefined) return 'enforcer';
  return engine === undefined ? 'up' : 'engine';
}

const FORM = Config as unknown as Schema;

/** What must stand in a file depends on which process it is for: the schema that it is held against. */
export function schemaFor(document: Document): Schema {
  const role = roleOf({ engine: document.get('engine'), enforcer: document.get('enforcer') });
  const target = { ...Target, required: role === 'engine' ? ['protocol'] : ['protocol', 'listen'] };
  const targets = { ...Config.properties.targets, additionalProperties: target };
  return {
    ...FORM,
    required: role === 'enforcer' ? ['contract', 'targets'] : ['contract', 'policies', 'targets'],
    properties: { ...FORM.properties, targets: targets as Schema },
  };
}

export function checkApart(raw: Config, { role }: Pick<LoadedConfig, 'role'>, findings: Findings, notices: string[]): void {
  if (raw.engine !== undefined && raw.enforcer !== undefined)
    findings.addAt('engine', 'stands beside `enforcer`; allowed: one of them, a file is for one process');
  if (role === 'enforcer') checkEnforcer(raw, findings);
  if (role === 'engine') for (const [name, target] of Object.entries(raw.targets)) notUsed(name, target, notices);
}

function checkEnforcer(raw: Config, findings: Findings): void {
  const central = (at: string): void => findings.addAt(at, 'is the engine’s; leave it out of an enforcer’s file');
  for (const key of CENTRAL) if (raw[key] !== undefined) central(key);
  for (const [name, target] of Object.entries(raw.targets)) {
    const at = `targets.${name}`;
    for (const key of CENTRAL_OF_TARGET) if (target[key] !== undefined) central(`${at}.${key}`);
    for (const section of ['http', 'mcp'] as const) if (target[section]?.credential !== undefined) central(`${at}.${section}.credential`);
    if (target.upstream?.url !== undefined)
      findings.addAt(`${at}.upstream.url`, 'holds a credential, which is the engine’s; use `host`, `port` and `databases`');
  }
}

function notUsed(name: string, target: Target, notices: string[]): void {
  const keys = BESIDE.filter((key) => target[key] !== undefined);
  if (keys.length > 0) notices.push(`targets.${name}: ${keys.join(', ')} not used here: its enforcer’s file says it`);
}
