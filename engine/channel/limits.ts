/** Every bound of the channel on what a peer can make grow (invariant 9), with its unit; README.md says what happens beyond each. */
import type { ChannelLimits } from './parts.ts';

export const LIMITS: ChannelLimits = {
  frameBytes: 65_536,
  payloadBytes: 33_554_432,
  bytesInFlight: 67_108_864,
  calls: 16_384,
  streams: 4_096,
  streamBytes: 1_048_576,
  preAuthMs: 5_000,
  preAuthBytes: 4_096,
  preAuthConnections: 64,
  connections: 1_024,
  connectionsPerPeer: 8,
  heartbeatMs: 1_000,
  silentHeartbeats: 3,
};
