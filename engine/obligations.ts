/** What the enforcer of each protocol fulfils: an obligation that stands not here is a refusal (I10). For whatever judges without an enforcer at hand. */
import { ANSWER_OBLIGATIONS } from '#enforcers/http/response/answering';
import { SUPPORTED_OBLIGATIONS as OF_MCP } from '#enforcers/mcp/session';
import { SUPPORTED_OBLIGATIONS as OF_POSTGRESQL } from '#enforcers/postgres/door';
import type { TargetConfig } from './config/config.ts';

export const FULFILLED: Readonly<Record<TargetConfig['protocol'], readonly string[]>> = {
  postgresql: OF_POSTGRESQL,
  http: ANSWER_OBLIGATIONS,
  mcp: OF_MCP,
};
