/** What a command prints: one document or lines on stdout with `--json`, text for people otherwise. Everything else goes to stderr. */
import { ERRORS, EXIT, InterlockError, type ErrorCode } from '#schemas/errors';
import { escapeLines, escapeText } from './escape.ts';
import { table, type Column } from './table.ts';

export interface Output {
  readonly json: boolean;
  /** One document for `--json`; else what `text` makes of it. */
  document(value: unknown, text: () => readonly string[]): void;
  /** One object a line (NDJSON) for `--json`. Resolves when the reader can take more. */
  line(value: unknown, text: () => readonly string[]): Promise<void>;
  table(columns: readonly Column[], rows: readonly (readonly string[])[]): readonly string[];
  /** Cells of a line: the terminal's, or what is usual. */
  readonly width: number;
  /** For people only: progress, notices. To stderr. */
  say(text: string): void;
}

const USUAL_CELLS = 120;

export function openOutput(json: boolean): Output {
  const print = (lines: readonly string[]): boolean => lines.length === 0 || process.stdout.write(`${lines.join('\n')}\n`);
  return {
    json,
    document(value, text) {
      print(json ? [JSON.stringify(value)] : text());
    },
    async line(value, text) {
      if (!print(json ? [JSON.stringify(value)] : text())) await new Promise((resolve) => process.stdout.once('drain', resolve));
    },
    width: process.stdout.isTTY ? (process.stdout.columns ?? USUAL_CELLS) : USUAL_CELLS,
    table: (columns, rows) => table(columns, rows, process.stdout.isTTY ? (process.stdout.columns ?? 80) : null),
    say(text) {
      process.stderr.write(`${escapeText(text)}\n`);
    },
  };
}

/** Tells an error in one or a few readable lines with its remedy, and answers the exit code. */
export function tell(error: unknown, json: boolean): number {
  const code: ErrorCode = error instanceof InterlockError ? error.code : 'INTERNAL';
  const message = error instanceof Error ? error.message : String(error);
  const remedy = (error instanceof InterlockError ? error.hint : undefined) ?? ERRORS[code].remedy;
  const [first = '', ...rest] = escapeLines(message);
  const advice = remedy.startsWith('The message') ? [] : [`  remedy: ${escapeText(remedy)}`]; // that, the reader has before their eyes
  process.stderr.write([`interlock: ${first} (${code})`, ...rest.map((line) => `  ${line}`), ...advice, ''].join('\n'));
  if (code === 'INTERNAL' && error instanceof Error) process.stderr.write(`${escapeLines(stackOf(error)).join('\n')}\n`);
  if (json) process.stdout.write(`${JSON.stringify({ error: { code, message, remedy } })}\n`);
  return exitCode(code);
}

function stackOf(error: Error): string {
  return (error.stack ?? '').split('\n').slice(1, 12).join('\n');
}

/** SURFACE.md: 1 the answer is no · 2 usage · 3 configuration or policy · 4 cannot reach · 5 not authenticated or not permitted · 70 our fault. */
export function exitCode(code: ErrorCode): number {
  switch (code) {
    case 'USAGE':
    case 'VERDICT_REASON':
    case 'RUNBOOK_VALUE':
    case 'UNSUPPORTED':
      return EXIT.usage;
    case 'CONFIG_INVALID':
    case 'RUNBOOK_INVALID':
    case 'CONFIG_SECRET_INLINE':
    case 'STATE_MODE':
    case 'STATE_LOCKED':
    case 'STATE_EXPORT':
    case 'STATE_EXISTS':
    case 'STATE_OLDER':
    case 'JOURNAL_CORRUPT':
    case 'POLICY_BUILD':
    case 'POLICY_SELF_TEST':
    case 'POLICY_BUILTIN':
    case 'POLICY_UNMETERED':
    case 'BUNDLE_UNSIGNED':
    case 'BUNDLE_KEY':
    case 'BUNDLE_TAMPERED':
    case 'BUNDLE_MALFORMED':
    case 'BUNDLE_TOO_LARGE':
    case 'BUNDLE_ROLLBACK':
    case 'BUNDLE_EXPIRED':
    case 'BUNDLE_STATE':
    case 'POLICY_UNAVAILABLE':
    case 'POLICY_CONFLICT':
    case 'POLICY_RESULT':
    case 'TOOL_MISSING':
    case 'PORT_TAKEN':
    case 'CREDENTIAL_UNAVAILABLE':
    case 'ARCHIVE_SETUP':
    case 'ARCHIVE_CONFLICT':
      return EXIT.config;
    case 'NOT_REACHABLE':
    case 'ARCHIVE_UNAVAILABLE':
    case 'ARCHIVE_BACKLOG':
    case 'TARGET_UNREACHABLE':
    case 'CATALOG_UNAVAILABLE':
    case 'DRAINING':
    case 'API_BUSY':
    case 'RATE_LIMITED':
    case 'NOT_READY':
    case 'JOIN_BUSY':
    case 'PROJECTION_BEHIND':
    case 'PROJECTION_UNAVAILABLE':
    case 'PROJECTION_SLOW':
      return EXIT.unreachable;
    case 'AUTH_FAILED':
    case 'LOGIN_FAILED':
    case 'CSRF':
    case 'AUTH_LOGIN_MISMATCH':
    case 'AUTH_SCOPE':
    case 'AGENT_REFUSED':
    case 'NOT_ADMIN':
    case 'JOIN_REFUSED':
    case 'CERTIFICATE_REFUSED':
    case 'ENGINE_UNTRUSTED':
    case 'AUTH_TLS_REQUIRED':
    case 'SESSION_EXPIRED':
    case 'SESSION_DENIED':
    case 'VERDICT_SELF':
    case 'VERDICT_NOT_ELIGIBLE':
    case 'VERDICT_TOKEN':
    case 'VERDICT_STEP_UP':
    case 'VERDICT_UNSEEN':
    case 'VERDICT_NOT_SHOWN':
    case 'BREAK_GLASS_REFUSED':
    case 'BREAK_GLASS_REVIEW_OPEN':
      return EXIT.unauthorised;
    case 'APPROVAL_NOT_FOUND':
    case 'SESSION_NOT_FOUND':
    case 'ENFORCER_NOT_FOUND':
    case 'ENFORCER_EXISTS':
    case 'AGENT_NOT_FOUND':
    case 'AGENT_EXISTS':
    case 'ROUTE_NOT_FOUND':
    case 'VERDICT_CLOSED':
    case 'APPROVAL_VOID':
      return EXIT.no;
    default:
      return EXIT.fault;
  }
}
