// The least of an MCP client (protocol 2026-07-28): asks Interlock's own server, with a token that the skill's own script makes each time.
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';

export function openTools(skill) {
  const { api } = JSON.parse(readFileSync('state/gateway.json', 'utf8'));
  return async function rpc(method, params = {}) {
    const token = execFileSync(`${skill}/scripts/token`, { encoding: 'utf8' }).trim();
    const _meta = { 'io.modelcontextprotocol/protocolVersion': '2026-07-28', 'io.modelcontextprotocol/clientCapabilities': {} };
    const response = await fetch(new URL('/mcp', api), {
      method: 'POST',
      headers: { 'content-type': 'application/json', accept: 'application/json, text/event-stream', authorization: `Bearer ${token}` },
      body: JSON.stringify({ jsonrpc: '2.0', id: 1, method, params: { ...params, _meta } }),
    });
    const { result, error } = await response.json();
    if (result === undefined) throw new Error(`${response.status} ${JSON.stringify(error)}`);
    return result;
  };
}

const TOLD = ['outcome', 'state', 'tag', 'code', 'message', 'detail', 'hint', 'approval_id', 'next'];

// What a tool answered, for people.
export function tell({ structuredContent: said = {} }) {
  if (said.rows) for (const row of [said.columns, ...said.rows]) console.log(plain(row.join(' | ')));
  for (const key of TOLD) if (said[key]) console.log(plain(`${key}: ${said[key]}`));
}

// What others wrote comes to a terminal: no escape sequences.
export function plain(text) {
  return text.replace(/[^\P{C}\n]/gu, ' ');
}
