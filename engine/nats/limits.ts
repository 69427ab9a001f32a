/** What bounds the traffic with NATS, with units. */
export const LIMITS = {
  /** Between two tries to connect. */
  reconnectWaitMs: 250,
  reconnectJitterMs: 250,
  /** For one try. */
  connectMs: 2_000,
  /** A server that says nothing is asked; after two questions without an answer another one is tried. */
  pingEveryMs: 2_000,
  pingsOutMax: 2,
  /** For the answer to a request of the JetStream API. */
  requestMs: 3_000,
  /** The largest message that the printed configuration lets through; the client takes the smaller of this and what the server says. */
  messageBytesMax: 8 << 20,
  /** What a reader of the archive has on the way at a time. */
  readAheadBytes: 16 << 20,
  /** A reader asks for more this often, and hears this often that the server is there. */
  pullMs: 10_000,
  heartbeatMs: 2_000,
  /** Engines and topics of which is remembered when something was heard last. */
  talkersMax: 4_096,
  /** A configuration of the streams that somebody changed is seen after this at the latest; the server's advisories tell earlier. */
  watchEveryMs: 2_000,
} as const;

/** What Interlock was built against and tested with: older servers do not have what it relies on. */
export const SERVER_MIN: readonly [major: number, minor: number] = [2, 12];
