// An agent, without a model: an MCP client that asks Interlock's own server for one thing at a time, and says what came back.
// `node agent.mjs SKILL TOOL ARGUMENTS`: the skill's own script makes its short-lived token.
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';

const [skill, tool, given = '{}'] = process.argv.slice(2);
const { api } = JSON.parse(readFileSync('state/gateway.json', 'utf8'));
const token = execFileSync(`${skill}/scripts/token`, { encoding: 'utf8' }).trim();

async function rpc(method, params) {
  const _meta = { 'io.modelcontextprotocol/protocolVersion': '2026-07-28', 'io.modelcontextprotocol/clientCapabilities': {} };
  const response = await fetch(new URL('/mcp', api), {
    method: 'POST',
    headers: { 'content-type': 'application/json', accept: 'application/json, text/event-stream', authorization: `Bearer ${token}` },
    body: JSON.stringify({ jsonrpc: '2.0', id: 1, method, params: { ...params, _meta } }),
  });
  const { result, error } = await response.json();
  if (result === undefined) throw new Error(`${response.status} ${JSON.stringify(error)}`);
  return result;
}

const { structuredContent: said } = await rpc('tools/call', { name: tool, arguments: JSON.parse(given) });
if (said.rows) for (const row of [said.columns, ...said.rows]) console.log(row.join(' | '));
for (const key of ['outcome', 'state', 'tag', 'code', 'message', 'detail', 'hint', 'approval_id', 'next']) if (said[key]) console.log(`${key}: ${said[key]}`);
