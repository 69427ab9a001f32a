/** The half of the composition that enforcement points of others reach, over AuthZEN. */
import type { Ids } from '#client/ids';
import type { Journal } from '#client/journal';
import type { AuthzenParts } from './api/authzen/parts.ts';
import type { ApprovalBook } from './approvals/approvals.ts';
import type { Live } from './base.ts';
import type { LoadedConfig } from './config/config.ts';
import type { LocalDecisionService } from './decide/service.ts';

export interface OutsideFrom {
  readonly config: LoadedConfig;
  readonly live: Live;
  readonly ids: Ids;
  readonly decisions: LocalDecisionService;
  /** null while the gateway starts. */
  readonly book: () => ApprovalBook | null;
  /** Where statements are recorded, so that the book hears how they ended. */
  readonly recorded: () => Journal;
}

export function outside({ config, live, ids, decisions, book, recorded }: OutsideFrom): AuthzenParts {
  return {
    evaluators: config.api.evaluators,
    ids,
    approvals: book,
    journal: { append: (event) => recorded().append(event), durable: (position) => recorded().durable(position) },
    judge: {
      get revision() {
        return decisions.revision;
      },
      dryRun: (input) => decisions.dryRun(input),
      access: (request) => decisions.access(request),
    },
    target: (name) => {
      const target = Object.hasOwn(config.targets, name) ? live.config.targets[name] : undefined;
      if (target === undefined) return null;
      const database = target.upstream.databases?.[0];
      return { env: target.env, labels: target.labels, ...(database === undefined ? {} : { database }) };
    },
  };
}
