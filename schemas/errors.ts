/** One catalogue of the codes that we ourselves emit (policies add their own). `ERRORS.md` is compared with it by a test. */

interface Entry {
  /** SQLSTATE towards PostgreSQL clients; null: never reaches one. */
  readonly sqlstate: string | null;
  readonly meaning: string;
  readonly remedy: string;
}

export const ERRORS = {
  // refused by judgement
  DEFAULT_DENY: {
    sqlstate: '42501',
    meaning: 'No policy allows this statement.',
    remedy: 'Ask the owner of the policies for an `allow` that covers it; `interlock decide` shows what policies saw.',
  },
  MASK_IMPOSSIBLE: {
    sqlstate: '42501',
    meaning: 'A masked column is used where it cannot be substituted.',
    remedy: 'Read the table in the FROM of a SELECT; the hint says how to rewrite this statement.',
  },
  MASK_RELATION_UNKNOWN: {
    sqlstate: '42501',
    meaning: 'A relation that the gateway has not seen in the catalog is named on a target with masks.',
    remedy: 'Check the name; if the relation is new, reconnect. Temporary and foreign tables are not available on targets with masks.',
  },
  ANSWER_UNMASKABLE: {
    sqlstate: '42501',
    meaning: 'Masked values may be in the target’s answer, and it is not of a kind that can be masked.',
    remedy: 'Ask for JSON; the message says what came. Where the answer holds nothing that is masked, describe it so in the target’s description.',
  },
  TOOL_UNKNOWN: {
    sqlstate: '42501',
    meaning: 'The MCP server’s tool of this name is not pinned, or is hidden from you.',
    remedy: 'List the tools again. An operator pins new ones with `interlock mcp pin TARGET`.',
  },
  TOOL_DRIFTED: {
    sqlstate: '42501',
    meaning: 'The MCP server’s definition of this tool is no longer the one that was approved.',
    remedy: 'An operator compares it and approves it with `interlock mcp pin TARGET`.',
  },
  OBLIGATION_UNSUPPORTED: {
    sqlstate: '42501',
    meaning: 'A policy asks for an obligation that this enforcer cannot fulfil.',
    remedy: 'Change the policy, or use an enforcer that supports the obligation.',
  },
  // understood, but not to be run
  UNPARSED: {
    sqlstate: '42601',
    meaning: 'The statement could not be understood, so it was refused.',
    remedy: 'The detail says where the parser stopped.',
  },
  ENCODING: { sqlstate: '42601', meaning: 'The statement is not well-formed UTF-8, or contains NUL.', remedy: 'Send UTF-8 without NUL.' },
  UNSUPPORTED: {
    sqlstate: '0A000',
    meaning: 'Interlock does not support this feature of the protocol yet.',
    remedy: 'See enforcers/postgres/SUPPORT.md for what to use instead.',
  },
  PREPARED_STALE: {
    sqlstate: '0A000',
    meaning: 'Policy now asks for other masks than when the statement was prepared.',
    remedy: 'Prepare the statement again.',
  },
  PIN_REFUSED: {
    sqlstate: '42501',
    meaning: 'This setting changes how statements are read and is pinned by the gateway.',
    remedy: 'Leave the setting at the value named in the message.',
  },
  PROTOCOL: {
    sqlstate: '08P01',
    meaning: 'The client sent a message that the protocol does not allow here.',
    remedy: 'Report it to the maker of the client library.',
  },
  // budgets
  BUDGET_TEXT: {
    sqlstate: '54000',
    meaning: 'The statement is longer than the limit.',
    remedy: 'Split it, or raise `limits.statement_bytes` of the target.',
  },
  BUDGET_PARSE: {
    sqlstate: '54000',
    meaning: 'Parsing took longer, or grew larger, than the budget.',
    remedy: 'Simplify the statement: fewer terms, less nesting.',
  },
  BUDGET_POLICY: { sqlstate: '54000', meaning: 'A policy ran past its fuel.', remedy: 'Simplify the policy named in the log.' },
  BUDGET_POLICY_MEMORY: { sqlstate: '54000', meaning: 'A policy needed more memory than its cap.', remedy: 'Simplify the policy named in the log.' },
  BUDGET_SEGMENT: { sqlstate: '54000', meaning: 'Too many messages, or bytes, before Sync.', remedy: 'Send Sync more often.' },
  BUDGET_CONNECTIONS: { sqlstate: '53300', meaning: 'Too many connections.', remedy: 'Close some, or raise `limits.connections` of the target.' },
  BUDGET_PREPARED: {
    sqlstate: '54000',
    meaning: 'Too many prepared statements or portals in one session.',
    remedy: 'Close those that are no longer used.',
  },
  // approvals
  APPROVAL_PENDING: {
    sqlstate: 'IL001',
    meaning: 'Not approved in time; the request stays open.',
    remedy: 'Run the same statement again once it is approved.',
  },
  APPROVAL_READY: {
    sqlstate: 'IL004',
    meaning: 'Only asked for: it is approved and not used; nothing was run.',
    remedy: 'Run the same statement, without asking only.',
  },
  APPROVAL_NOT_NEEDED: {
    sqlstate: 'IL004',
    meaning: 'Only asked for: policy allows it without an approval; nothing was run.',
    remedy: 'Run the same statement, without asking only.',
  },
  APPROVAL_DENIED: { sqlstate: 'IL002', meaning: 'A reviewer denied this statement.', remedy: 'Read the reviewer’s words; change the statement.' },
  APPROVAL_VOID: {
    sqlstate: 'IL003',
    meaning: 'The approval no longer fits: context or requirement changed, or it is used up.',
    remedy: 'Run the statement again to ask anew.',
  },
  APPROVAL_CHANGES: {
    sqlstate: 'IL002',
    meaning: 'A reviewer asks for another statement.',
    remedy: 'Read the reviewer’s words, change the statement and run it: the new request refers to this one.',
  },
  APPROVAL_NOT_YET: {
    sqlstate: 'IL001',
    meaning: 'It is approved, but policy lets it run at certain times only.',
    remedy: 'Run the same statement again when the window opens; the message says when.',
  },
  APPROVAL_FROZEN: {
    sqlstate: 'IL001',
    meaning: 'A freeze is on: what needs approval does not run, whoever approved it.',
    remedy: 'Run the same statement again after the freeze; the message names it.',
  },
  APPROVAL_CHAIN: {
    sqlstate: '42501',
    meaning: 'Policy asks for approval in a way that nobody can give: an unknown or malformed chain, or a stage that nobody could approve.',
    remedy: 'The message names the chain or stage; the owner of the policies corrects `data.approval_chains` or the approvers’ source.',
  },
  APPROVAL_IN_TRANSACTION: {
    sqlstate: '42501',
    meaning: 'A statement that needs approval was sent in a transaction that already did work.',
    remedy: 'Send it alone, or first in its transaction.',
  },
  APPROVAL_UNAVAILABLE: {
    sqlstate: '58000',
    meaning: 'The approval could not be opened, awaited or consumed.',
    remedy: 'Run the same statement again in a moment: nothing of it was sent. If it lasts, see the log of the engine.',
  },
  CANCELLED: { sqlstate: '57014', meaning: 'Cancelled by the client.', remedy: 'None needed.' },
  TRANSACTION_ABORTED: { sqlstate: '25P02', meaning: 'An earlier statement of this transaction was refused.', remedy: 'ROLLBACK, then start again.' },
  // our own trouble: fail closed
  JOURNAL_UNAVAILABLE: {
    sqlstate: '58000',
    meaning: 'The journal cannot be written, so nothing runs.',
    remedy: 'Free or replace the journal’s disk and restart.',
  },
  ARCHIVE_UNAVAILABLE: {
    sqlstate: '58000',
    meaning: 'The archive (NATS) did not acknowledge the record in time, and the target asks for `audit: strict`.',
    remedy: 'See `interlock status`: the archive, its servers and their disk. Nothing was sent to the target.',
  },
  ARCHIVE_BACKLOG: {
    sqlstate: '58000',
    meaning: 'The journal is further ahead of the archive than `nats.backlog` allows, so no new work begins.',
    remedy: 'Bring the archive (NATS) back; work goes on by itself as soon as it has caught up.',
  },
  ARCHIVE_CONFLICT: {
    sqlstate: '58000',
    meaning: 'The archive holds records of this journal that the journal itself does not have.',
    remedy: 'Two processes share one journal id, or an old copy of the journal was put back. `interlock audit verify` over the archive shows where.',
  },
  ARCHIVE_SETUP: {
    sqlstate: null,
    meaning: 'A stream of the archive is missing, or is not set up as it must be.',
    remedy: '`interlock nats setup` makes what is missing and names each difference.',
  },
  POLICY_UNAVAILABLE: {
    sqlstate: '58000',
    meaning: 'No policy in force could judge, or it is older than `policies.max_age`.',
    remedy: 'See `interlock status`.',
  },
  POLICY_CONFLICT: {
    sqlstate: '58000',
    meaning: 'A policy aborted: two rules give different values for one thing.',
    remedy: 'Mend the rule named in the log.',
  },
  POLICY_RESULT: {
    sqlstate: '58000',
    meaning: 'A policy answered something that is not of the contract’s form.',
    remedy: 'Mend the rule named in the log.',
  },
  REQUEST_INVALID: {
    sqlstate: '58000',
    meaning: 'The decision request did not have the contract’s form; judging it could miss a deny.',
    remedy: 'Report it: this is a defect of Interlock.',
  },
  PARSER_UNAVAILABLE: {
    sqlstate: '58000',
    meaning: 'The parser for this server version is not available.',
    remedy: 'Use a supported server major, or report it.',
  },
  CREDENTIAL_UNAVAILABLE: { sqlstate: '58000', meaning: 'The target’s credential could not be had.', remedy: 'See the log of the engine.' },
  CATALOG_UNAVAILABLE: {
    sqlstate: '58000',
    meaning: 'The target’s catalog could not be read, so masks could not be applied.',
    remedy: 'See the log; check the rights of the target’s role.',
  },
  TARGET_UNREACHABLE: {
    sqlstate: '58000',
    meaning: 'The target did not accept the gateway’s connection.',
    remedy: '`interlock doctor` names the step that fails.',
  },
  TARGET_BUSY: {
    sqlstate: '55P03',
    meaning: 'The target did not give an approved statement its locks, or could not look at it once more, for a reason that passes.',
    remedy: 'Run the same statement again in a moment: nothing of it was sent, and its approval is not used.',
  },
  CLOCK: { sqlstate: '58000', meaning: 'Wall clock and monotonic clock disagree.', remedy: 'Mend the time service of the machine.' },
  ENGINE_UNAVAILABLE: {
    sqlstate: '58000',
    meaning: 'The engine is not connected, or did not answer in time, and this needs its word.',
    remedy: 'Try again in a moment; `interlock status` on the enforcer says since when and why.',
  },
  ANSWER_REFUSED: {
    sqlstate: '58000',
    meaning: 'An answer of the engine was altered, or is not the answer to this question.',
    remedy: 'Something stands between enforcer and engine and speaks for it: find it before going on.',
  },
  TARGET_NOT_GRANTED: {
    sqlstate: '58000',
    meaning: 'The engine does not let this enforcer ask for this target.',
    remedy: 'Enrol the enforcer for the target: its certificate names what it may ask for.',
  },
  CHANNEL_BUSY: {
    sqlstate: '58000',
    meaning: 'Too much is under way on the connection between enforcer and engine.',
    remedy: 'Try again in a moment; if it lasts, the engine or the network is too slow.',
  },
  ENFORCER_UNAVAILABLE: {
    sqlstate: null,
    meaning: 'The enforcer is not connected, or did not answer in time.',
    remedy: 'See *Targets and enforcers* in the console, and the log of the enforcer.',
  },
  CHANNEL_REFUSED: {
    sqlstate: null,
    meaning: 'A certificate was not let in: unknown, removed, expired, or of the wrong kind.',
    remedy: 'Enrol the enforcer again; the log of the engine names the certificate.',
  },
  CHANNEL_PROTOCOL: {
    sqlstate: null,
    meaning: 'The other end of the channel broke its rules, or speaks no version that this one speaks.',
    remedy: 'Upgrade the older of the two; the message names what was wrong.',
  },
  INTERNAL: { sqlstate: '58000', meaning: 'A fault of ours; the statement was refused.', remedy: 'Report it with the decision id.' },
  // identity
  AUTH_FAILED: {
    sqlstate: '28000',
    meaning: 'The token was not accepted.',
    remedy: 'Get a new one; the log of the gateway says which check failed.',
  },
  AUTH_LOGIN_MISMATCH: {
    sqlstate: '28000',
    meaning: 'The user name is not the token’s login.',
    remedy: 'Connect as the login that the token names.',
  },
  AUTH_SCOPE: {
    sqlstate: '28000',
    meaning: 'The token does not carry the scope that this needs.',
    remedy: 'Ask for a token with the scope named in the message.',
  },
  AUTH_TLS_REQUIRED: {
    sqlstate: '28000',
    meaning: 'A token must not be sent without TLS.',
    remedy: 'Use sslmode=verify-full with the gateway’s CA.',
  },
  SESSION_EXPIRED: { sqlstate: '28000', meaning: 'The session’s token has ended.', remedy: 'Connect again with a new token.' },
  SESSION_DENIED: { sqlstate: '42501', meaning: 'Policy does not let this principal open a session here.', remedy: 'Ask the owner of the target.' },
  DRAINING: { sqlstate: '57P01', meaning: 'The gateway is shutting down.', remedy: 'Connect again.' },
  // verdicts
  VERDICT_SELF: {
    sqlstate: null,
    meaning: 'The requester, or someone who shares an identity with them, may not decide.',
    remedy: 'Ask somebody else.',
  },
  VERDICT_NOT_ELIGIBLE: {
    sqlstate: null,
    meaning: 'This reviewer is not asked for in the current stage.',
    remedy: 'The request lists who may decide.',
  },
  VERDICT_TOKEN: {
    sqlstate: null,
    meaning: 'A verdict needs a human’s own token with scope `approve`, at most an hour old.',
    remedy: 'Get a fresh token with scope `approve`.',
  },
  VERDICT_STEP_UP: {
    sqlstate: null,
    meaning: 'The stage asks for a stronger or fresher login than the verdict’s token shows.',
    remedy: 'Log in again as the stage asks (`acr`, age), and give the verdict with the new token.',
  },
  VERDICT_REASON: { sqlstate: null, meaning: 'This needs words: why.', remedy: 'Say why, in the comment.' },
  VERDICT_UNSEEN: {
    sqlstate: null,
    meaning: 'What the reviewer was shown is not what the request holds.',
    remedy: 'Look at the request again, and compare the first digits of its digest.',
  },
  VERDICT_NOT_SHOWN: {
    sqlstate: null,
    meaning: 'The request cannot be shown whole, so nobody can approve it.',
    remedy: 'Deny it; ask for a shorter statement, or set `journal.payloads: clear`.',
  },
  BREAK_GLASS_REFUSED: {
    sqlstate: null,
    meaning: 'No rule of `data.break_glass` lets this person break the glass here.',
    remedy: 'Wait for a reviewer; the owner of the policies can add a rule.',
  },
  BREAK_GLASS_REVIEW_OPEN: {
    sqlstate: null,
    meaning: 'An earlier broken glass of the same person still waits for its review.',
    remedy: 'Ask one of its reviewers to close it.',
  },
  VERDICT_CLOSED: { sqlstate: null, meaning: 'The request is no longer open.', remedy: 'None: it is settled.' },
  APPROVAL_NOT_FOUND: { sqlstate: null, meaning: 'There is no such approval request.', remedy: '`interlock approvals list`.' },
  DELEGATION_REFUSED: {
    sqlstate: null,
    meaning: 'This delegation is not possible: to yourself, to no human, for too long, or one too many.',
    remedy: 'The message says which; only the human who is asked delegates, to another human.',
  },
  DELEGATION_NOT_FOUND: { sqlstate: null, meaning: 'There is no such delegation of yours.', remedy: '`interlock approvals delegations`.' },
  SESSION_NOT_FOUND: {
    sqlstate: null,
    meaning: 'There is no such session, or it is not yours to read.',
    remedy: '`interlock sessions list`; members of `api.readers` see everybody’s.',
  },
  API_BUSY: {
    sqlstate: null,
    meaning: 'Too many readings of the record at a time.',
    remedy: 'Try again in a moment; end streams that nobody reads.',
  },
  RATE_LIMITED: { sqlstate: null, meaning: 'Too many requests in a short time.', remedy: 'Wait a moment; the message says how long.' },
  NOT_READY: {
    sqlstate: null,
    meaning: 'A part that this needs does not run, or is still being built.',
    remedy: 'The message names the part; try again in a moment, or see the log of the engine.',
  },
  LOGIN_FAILED: {
    sqlstate: null,
    meaning: 'The login was not completed.',
    remedy: 'Log in again; the log of the gateway says which check failed.',
  },
  CSRF: {
    sqlstate: null,
    meaning: 'The request did not come from the console’s own page, or without its token.',
    remedy: 'Reload the console.',
  },
  NOTIFICATION_NOT_FOUND: { sqlstate: null, meaning: 'There is no such undelivered message.', remedy: 'It was delivered, or sent again already.' },
  PROJECTION_BEHIND: {
    sqlstate: null,
    meaning: 'What lists and search read from is being made anew from the journal.',
    remedy: 'Try again in a moment; `interlock projection status` shows how far it is. Statements are not affected.',
  },
  PROJECTION_UNAVAILABLE: {
    sqlstate: null,
    meaning: 'What lists and search read from cannot be read or written; it is tried again.',
    remedy: 'Free the disk of `state.dir`; the log has the cause. Statements are not affected.',
  },
  PROJECTION_SLOW: {
    sqlstate: null,
    meaning: 'The search took longer than it may.',
    remedy: 'Narrow it: a time, a person, a target or an object.',
  },
  ROUTE_NOT_FOUND: { sqlstate: null, meaning: 'The API has no such route.', remedy: 'SURFACE.md lists what there is.' },
  // enrolment
  JOIN_REFUSED: {
    sqlstate: null,
    meaning: 'The join code is not, or no longer, valid: unknown, used, expired, or made for another enforcer.',
    remedy: 'Ask for a new one: `interlock enforcer add NAME --target TARGET` on the engine.',
  },
  ENGINE_UNTRUSTED: {
    sqlstate: null,
    meaning: 'Whoever answered is not the engine that made the join code; nothing was sent to it.',
    remedy: 'Check the address; if it is right, somebody stands between, or the engine has another authority since: ask for a new code.',
  },
  CERTIFICATE_REFUSED: {
    sqlstate: null,
    meaning: 'The request for a certificate is not one that an enforcer makes, or its enforcer may not have one.',
    remedy: 'The log of the engine says what is wrong. An enforcer that was removed, or whose certificate has ended, joins anew.',
  },
  JOIN_BUSY: { sqlstate: null, meaning: 'Two engines changed the same enforcer at the same moment.', remedy: 'Try again.' },
  ENFORCER_NOT_FOUND: { sqlstate: null, meaning: 'There is no such enforcer.', remedy: '`interlock enforcer list`.' },
  ENFORCER_EXISTS: {
    sqlstate: null,
    meaning: 'An enforcer of this name has joined already.',
    remedy: 'Choose another name; `--replace` lets whoever joins next take its place.',
  },
  NOT_ADMIN: {
    sqlstate: null,
    meaning: 'Only members of `api.admins`, with a token of scope `approve`, may do this.',
    remedy: 'Ask one of them; where `api.admins` is not set, nobody may.',
  },
  // agents
  AGENT_NOT_FOUND: { sqlstate: null, meaning: 'There is no such agent, or it is not yours.', remedy: '`interlock skill list`.' },
  AGENT_EXISTS: {
    sqlstate: null,
    meaning: 'An agent of this name exists already, or there was one of somebody else.',
    remedy: 'Choose another name; `interlock skill rotate` gives one that is yours a new key.',
  },
  AGENT_REFUSED: {
    sqlstate: null,
    meaning: 'This agent may not be added or changed by whoever asked.',
    remedy:
      'Humans add agents of their own, in groups that they are in; members of `api.admins`, with a token of scope `approve`, also for others and in any.',
  },
  AGENT_TARGET: {
    sqlstate: '42501',
    meaning: 'The token of this agent is not for this target.',
    remedy: 'Connect to a target of the agent’s (`interlock skill show`), with a token that was asked for it.',
  },
  AGENT_COOL_DOWN: {
    sqlstate: '42501',
    meaning: 'This agent was denied too often in a short time, so for a while everything is refused.',
    remedy: 'Stop, read the earlier denials and their hints, and go on after the time that the message names.',
  },
  // start-up and commands
  CONFIG_INVALID: {
    sqlstate: null,
    meaning: 'The configuration has a mistake.',
    remedy: 'The message names file, line, key, what was found and what is allowed.',
  },
  CONFIG_SECRET_INLINE: {
    sqlstate: null,
    meaning: 'A secret stands in the configuration.',
    remedy: 'Refer to it: `{ file: … }`, `{ env: … }` or `{ exec: … }`.',
  },
  STATE_MODE: {
    sqlstate: null,
    meaning: 'The state directory or a key in it can be read by others.',
    remedy: 'chmod 0700 the directory and 0600 the keys.',
  },
  STATE_EXPORT: {
    sqlstate: null,
    meaning: 'An export of a state cannot be made, or is damaged, was changed, or does not fit here.',
    remedy: 'The message says what; take another export, or name the passphrase that it was sealed with.',
  },
  STATE_EXISTS: {
    sqlstate: null,
    meaning: 'An import found something of a state already there; nothing is overwritten.',
    remedy: 'Import into an empty state directory; move what is there aside, do not delete it.',
  },
  STATE_OLDER: {
    sqlstate: null,
    meaning: 'An export is older than the journal beside it, or of another journal.',
    remedy: 'Take a newer export. `--accept-older` restores it all the same: enrol enforcers that are missing again, and sign policies anew.',
  },
  STATE_LOCKED: { sqlstate: null, meaning: 'Another process holds this journal.', remedy: 'Stop it, or use another directory.' },
  JOURNAL_CORRUPT: {
    sqlstate: null,
    meaning: 'The journal is damaged before its tail.',
    remedy: '`interlock audit verify` names the record. Move the journal aside; do not delete it.',
  },
  POLICY_BUILD: { sqlstate: null, meaning: 'The policies do not compile.', remedy: 'The message names file and line.' },
  POLICY_SELF_TEST: {
    sqlstate: null,
    meaning: 'The policies compiled but did not pass the self-test.',
    remedy: 'The message names the canary that was not refused.',
  },
  POLICY_BUILTIN: {
    sqlstate: null,
    meaning: 'A policy uses a builtin that is not supported.',
    remedy: 'The message names file and line; policies/README.md lists what to use.',
  },
  BUNDLE_UNSIGNED: {
    sqlstate: null,
    meaning: 'The policy bundle carries no signature.',
    remedy: 'Sign it: `interlock policy build DIR -o FILE --sign KEY`.',
  },
  BUNDLE_KEY: {
    sqlstate: null,
    meaning: 'The policy bundle is signed, by no key that is trusted here.',
    remedy: 'Sign it with a key whose public half is in `policies.signing.trusted`, or add that half there.',
  },
  BUNDLE_TAMPERED: {
    sqlstate: null,
    meaning: 'The policy bundle is not what was signed.',
    remedy: 'Fetch or build it again; if it happens again, find out who can write to where it comes from.',
  },
  BUNDLE_MALFORMED: {
    sqlstate: null,
    meaning: 'The policy bundle does not have the form of one: cut short, or with an entry that does not belong there.',
    remedy: 'The message names the entry; engine/bundles/README.md has the form.',
  },
  BUNDLE_TOO_LARGE: {
    sqlstate: null,
    meaning: 'The policy bundle is larger than its bounds.',
    remedy: 'The message names the bound; keep large data out of the policies.',
  },
  BUNDLE_ROLLBACK: {
    sqlstate: null,
    meaning: 'The policy bundle is older than one that was seen before.',
    remedy: 'To go back to old policies, build them again: they get a new number.',
  },
  BUNDLE_EXPIRED: {
    sqlstate: null,
    meaning: 'The policy bundle is past its expiry, or from the future.',
    remedy: 'Sign it again; check the clocks.',
  },
  BUNDLE_STATE: {
    sqlstate: null,
    meaning: 'What is remembered of the newest policy bundle cannot be read or written.',
    remedy: 'Mend or restore the file named in the message; without it an old bundle could not be told from a new one.',
  },
  POLICY_UNMETERED: {
    sqlstate: null,
    meaning: 'The policies of a bundle could run without being stopped.',
    remedy: 'Build the bundle with `interlock policy build` of a version that this one knows.',
  },
  TOOL_MISSING: { sqlstate: null, meaning: 'A program that is needed is not installed.', remedy: 'The message says how to install it.' },
  PORT_TAKEN: { sqlstate: null, meaning: 'The address is in use.', remedy: 'Choose another port, or stop the other program.' },
  USAGE: { sqlstate: null, meaning: 'The command was not used as it can be.', remedy: 'See `--help`.' },
  NESTED_TARGET: {
    sqlstate: '58000',
    meaning: 'An argument of a tool is a statement for a target that is not known here.',
    remedy: 'Configure that target in the same gateway, or leave `target` out of the argument: then its facts alone are judged.',
  },
  RUNBOOK_INVALID: {
    sqlstate: null,
    meaning: 'A runbook cannot be used as it stands in its file.',
    remedy: 'Mend the file: the message says where. `interlock run --list` reads them all.',
  },
  RUNBOOK_VALUE: {
    sqlstate: null,
    meaning: 'A value given to a runbook is not one that its parameter allows.',
    remedy: 'See `interlock run NAME --show` for what each parameter takes.',
  },
  NOT_REACHABLE: {
    sqlstate: null,
    meaning: 'The gateway’s API does not answer.',
    remedy: 'Start it with `interlock up`, or pass the right configuration with -c.',
  },
} as const satisfies Record<string, Entry>;
export type ErrorCode = keyof typeof ERRORS;

/** Process exit codes (SURFACE.md). */
export const EXIT = { ok: 0, no: 1, usage: 2, config: 3, unreachable: 4, unauthorised: 5, fault: 70 } as const;

/** A known error. Only these reach a client; anything else is INTERNAL to them and a stack trace to us. */
export class InterlockError extends Error {
  readonly code: ErrorCode;
  /** Shown to the user: what would be allowed, or whom to ask. */
  readonly hint: string | undefined;
  constructor(code: ErrorCode, message: string, options?: { cause?: unknown; hint?: string }) {
    super(message, options?.cause === undefined ? undefined : { cause: options.cause });
    this.name = 'InterlockError';
    this.code = code;
    this.hint = options?.hint;
  }
}
