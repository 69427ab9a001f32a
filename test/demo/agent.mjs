// An agent, without a model: an MCP client that asks Interlock's own server for one thing at a time, and says what came back.
// `node agent.mjs SKILL TOOL ARGUMENTS`
import { openTools, tell } from './mcp.mjs';

const [skill, tool, given = '{}'] = process.argv.slice(2);
tell(await openTools(skill)('tools/call', { name: tool, arguments: JSON.parse(given) }));
