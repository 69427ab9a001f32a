/** Every bound of the API, with its unit: what somebody outside can make grow. */
export const LIMITS = {
  headerBytes: 16 * 1024,
  headers: 100,
  bodyBytes: 64 * 1024,
  headersMs: 10_000,
  requestMs: 30_000,
  idleMs: 5_000,
  connections: 256,
  requestsPerConnection: 1000,
  /** Readings of the journal at a time: each reads it in this process. */
  streams: 16,
  /** Live streams at a time, of all and of one principal. */
  live: 128,
  livePerPrincipal: 8,
  /** What a live stream may still hold of the sendings before when the next one comes; beyond, it is not read and ends. */
  liveBufferBytes: 256 * 1024,
  /** Changes told at once; beyond, clients are told to fetch again. */
  liveGathered: 200,
  /** Changes that a client that comes back can be told. */
  liveKept: 2_000,
  /** Calls of Interlock's own MCP server at a time, of all and of one principal; fewer than there are connections. */
  toolCalls: 128,
  toolCallsPerPrincipal: 16,
  queryChars: 500,
  commentChars: 4_000,
  pageDefault: 50,
  pageMax: 200,
  approvalsListed: 1_000,
  sessionsListed: 1_000,
  sessionSoFar: 50,
  earlier: 10,
  /** Who looked at what, lately. */
  viewsKept: 10_000,
  /** Console sessions, of all and of one principal: the oldest ends. */
  consoleSessions: 10_000,
  consoleSessionsPerPrincipal: 20,
  /** Logins on their way to an issuer and back, and one-time links: the oldest is forgotten. */
  pendingLogins: 1_000,
  links: 100,
} as const;

/** Requests in a burst, and on average. */
export const RATES = {
  /** Of one principal. */
  read: { burst: 2_000, perSecond: 500 },
  change: { burst: 60, perSecond: 5 },
  /** Of one address, without having logged in. */
  login: { burst: 200, perSecond: 10 },
  /** Buckets kept; the one that was not used for longest is forgotten. */
  buckets: 10_000,
} as const;

/** Looking again within this is the same look. */
export const VIEW_AGAIN_MS = 600_000;

/** A console session ends with what it was opened with, and at the latest so. */
export const CONSOLE_SESSION_MS = 12 * 3_600_000;
/** Without a request (a live stream is none). */
export const CONSOLE_IDLE_MS = 3_600_000;
export const PENDING_LOGIN_MS = 600_000;
export const LINK_MS = 60_000;

/** Changes are gathered for so long, and each is told once. */
export const LIVE_EVERY_MS = 250;
export const LIVE_HEARTBEAT_MS = 15_000;
