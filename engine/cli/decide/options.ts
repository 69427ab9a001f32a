import type { TransactionState } from '#schemas/decision-request';
import type { Common } from '../command.ts';

export interface DecideOptions extends Common {
  readonly target?: string;
  readonly login?: string;
  readonly group?: readonly string[];
  readonly type: 'user' | 'service' | 'agent';
  readonly for?: string;
  readonly forGroup?: readonly string[];
  readonly statement?: string;
  /** Of an API. */
  readonly method?: string;
  readonly path?: string;
  readonly header?: readonly string[];
  readonly body?: string;
  /** Of an MCP server. */
  readonly tool?: string;
  readonly arguments?: string;
  readonly statementFile?: string;
  /** Of an API or an MCP server. */
  readonly requestFile?: string;
  readonly params?: string;
  readonly prepare?: boolean;
  readonly transaction: TransactionState;
  readonly setting?: readonly string[];
  readonly database?: string;
  readonly major: string;
  readonly cases?: string;
  readonly catalog?: string;
}
