// An agent with a model: what it asks for (Messages API, tool use) is asked of Interlock's own MCP server, and goes back to it.
// `node model.mjs SKILL TASK`: knows what SKILL.md says; goes on from the task before, in SKILL.conversation.json.
// Environment: ANTHROPIC_API_KEY, ANTHROPIC_MODEL; ANTHROPIC_BASE_URL where it is not Anthropic's own.
import { readFileSync, writeFileSync } from 'node:fs';
import { setTimeout } from 'node:timers/promises';
import { openTools, plain, tell } from './mcp.mjs';

const TURNS_MAX = 16; // answers of the model to one task
const ANSWER_TOKENS_MAX = 1_500;
const TASK_TOKENS_MAX = 200_000; // read and written
const ANSWER_MS_MAX = 120_000;
const TRIES_MAX = 3; // where the API is busy
const RESULT_CHARS_MAX = 8_000; // of what a tool answered

const { ANTHROPIC_API_KEY: key = '', ANTHROPIC_MODEL: model = '', ANTHROPIC_BASE_URL: base = 'https://api.anthropic.com' } = process.env;
const [skill, task] = process.argv.slice(2);
const rpc = openTools(skill);
const file = `${skill}.conversation.json`;
const messages = [...before(), { role: 'user', content: task }];

await run().catch((error) => {
  console.error(`model.mjs: ${shown(error.message)}`);
  process.exitCode = 1;
});

async function run() {
  const { tools } = await rpc('tools/list');
  const system = `${readFileSync(`${skill}/SKILL.md`, 'utf8').replace(/^---.*?\n---\n/s, '')}
You have no shell here: the tools are Interlock’s own MCP server, which needs no other connection. Say what you do in a sentence or two, without Markdown.`;
  let tokens = 0;
  for (let turn = 0; turn < TURNS_MAX && tokens < TASK_TOKENS_MAX; turn++) {
    const asked = { model, max_tokens: ANSWER_TOKENS_MAX, system, tools: tools.map(offered), messages };
    const { content, stop_reason: reason, usage } = await post('/v1/messages', asked);
    tokens += usage.input_tokens + usage.output_tokens;
    messages.push({ role: 'assistant', content });
    for (const { type, text } of content) if (type === 'text') console.log(`model: ${shown(text)}`);
    if (reason !== 'tool_use') {
      if (reason !== 'end_turn') throw new Error(`the model stopped: ${reason}`);
      return writeFileSync(file, JSON.stringify(messages), { mode: 0o600 });
    }
    const results = [];
    for (const each of content) if (each.type === 'tool_use') results.push(await use(each));
    messages.push({ role: 'user', content: results });
  }
  throw new Error(`the model was not done after ${TURNS_MAX} answers or ${TASK_TOKENS_MAX} tokens`);
}

function offered({ name, description, inputSchema }) {
  return { name, description, input_schema: inputSchema };
}

async function use({ id, name, input }) {
  console.log(`asks ${shown(name)} ${shown(JSON.stringify(input))}`);
  try {
    const answer = await rpc('tools/call', { name, arguments: input });
    tell(answer);
    const text = answer.content.map((each) => each.text ?? '').join('\n').slice(0, RESULT_CHARS_MAX);
    return { type: 'tool_result', tool_use_id: id, content: text, is_error: answer.isError === true };
  } catch (error) {
    console.log(`error: ${shown(error.message)}`);
    return { type: 'tool_result', tool_use_id: id, content: error.message, is_error: true };
  }
}

async function post(path, body) {
  for (let tries = 1; ; tries++) {
    const response = await fetch(base.replace(/\/$/, '') + path, {
      method: 'POST',
      headers: { 'content-type': 'application/json', 'x-api-key': key, 'anthropic-version': '2023-06-01' },
      body: JSON.stringify(body),
      signal: AbortSignal.timeout(ANSWER_MS_MAX),
    });
    const text = await response.text();
    if (response.ok) return JSON.parse(text);
    if (tries === TRIES_MAX || ![429, 500, 502, 503, 529].includes(response.status)) throw new Error(`the Messages API answered ${response.status}: ${text.slice(0, 400)}`);
    await setTimeout(1000 * Math.min(20, Number(response.headers.get('retry-after') ?? 2 ** tries)));
  }
}

function before() {
  try {
    return JSON.parse(readFileSync(file, 'utf8'));
  } catch {
    return [];
  }
}

// What a model says, and never the key.
function shown(text) {
  return key === '' ? plain(text) : plain(text).replaceAll(key, '…');
}
