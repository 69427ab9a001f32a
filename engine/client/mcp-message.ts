/**
 * An MCP request as it is judged, recorded and sent: method and params as one JSON text, without the id of the call and `_meta`, which differ
 * from one try to the next (ADR 25).
 */
export interface McpMessage {
  readonly method: string;
  readonly params: Readonly<Record<string, unknown>>;
}

export function writeMcpMessage({ method, params }: McpMessage): Uint8Array {
  const { _meta, ...rest } = params;
  void _meta;
  return Buffer.from(JSON.stringify({ method, params: rest }), 'utf8');
}
