/**
 * What each identity may do, as allow-lists alone: rules that deny were gone around more than once (SECURITY N1). Nobody may change, delete or purge a
 * stream; only an engine and an auditor may make consumers.
 */
import { inboxOf } from './identity.ts';
import { APPROVALS, AUDIT, ENGINES } from './streams.ts';

export type Role = 'enforcer' | 'engine' | 'auditor' | 'setup';

export const ROLES: readonly Role[] = ['enforcer', 'engine', 'auditor', 'setup'];

export interface Grant {
  readonly role: Role;
  /** For the reader of the configuration. */
  readonly name: string;
  readonly publicKey: string;
  /** Journals that it writes; none for an auditor and for the setup. */
  readonly journals: readonly string[];
}

export interface Allowed {
  readonly publish: readonly string[];
  readonly subscribe: readonly string[];
}

export function permissionsOf(grant: Grant, streams: { readonly audit: string; readonly approvals: string }): Allowed {
  const own = `${inboxOf(grant.publicKey)}.>`;
  const { audit, approvals } = streams;
  const writes = grant.journals.flatMap((journal) => [`${AUDIT}.${journal}`, `$JS.API.DIRECT.GET.${audit}.${AUDIT}.${journal}`]);
  switch (grant.role) {
    case 'enforcer':
      return { publish: writes, subscribe: [own] };
    case 'engine':
      return {
        publish: [
          ...writes,
          `${APPROVALS}.>`,
          // from the leader: whether a message stands is asked once, and a copy may be late
          `$JS.API.STREAM.MSG.GET.${approvals}`,
          `${ENGINES}.*`,
          ...reading(audit),
          ...reading(approvals),
        ],
        subscribe: [own, `${ENGINES}.*`, ...[audit, approvals].map((stream) => `$JS.EVENT.ADVISORY.STREAM.*.${stream}`)],
      };
    case 'auditor':
      return { publish: reading(audit), subscribe: [own, `$JS.EVENT.ADVISORY.STREAM.*.${audit}`] };
    case 'setup':
      return {
        publish: ['$JS.API.INFO', ...[audit, approvals].flatMap((stream) => [`$JS.API.STREAM.CREATE.${stream}`, `$JS.API.STREAM.INFO.${stream}`])],
        subscribe: [own],
      };
  }
}

/** Consumers of one stream, and how it stands. */
function reading(stream: string): string[] {
  return [
    `$JS.API.STREAM.INFO.${stream}`,
    `$JS.API.CONSUMER.CREATE.${stream}.>`,
    `$JS.API.CONSUMER.INFO.${stream}.>`,
    `$JS.API.CONSUMER.DELETE.${stream}.>`,
    `$JS.API.CONSUMER.MSG.NEXT.${stream}.>`,
  ];
}
