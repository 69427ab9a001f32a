/** What this enforcer does, and what it refuses by name (invariant 10). SUPPORT.md is written from it. */
interface Entry {
  readonly feature: string;
  readonly what: string;
}

/** What may be asked, and by which action it is judged. */
const JUDGED: readonly Entry[] = [
  {
    feature: '`tools/call`',
    what: '`mcp.call`; arguments are checked against the pinned schema, and those of `arguments` by the engine of their language',
  },
  { feature: '`resources/read`, `resources/subscribe`', what: '`mcp.read`' },
  { feature: '`prompts/get`', what: '`mcp.prompt`' },
  {
    feature: '`tools/list`, `resources/list`, `resources/templates/list`, `prompts/list`',
    what: '`mcp.list`; then each entry by itself, as the same method with its `name` or `uri`: what is denied there is not shown, and cannot be used either',
  },
  { feature: '`completion/complete`, `subscriptions/listen`, `resources/unsubscribe`', what: '`mcp.list`' },
  { feature: '`logging/setLevel`', what: '`mcp.list`, where `from_server.logging` is on; otherwise there is no such method' },
];

const OWN: readonly Entry[] = [
  {
    feature: '`initialize`, `ping` (2025-11-25, 2025-06-18, 2025-03-26)',
    what: 'answered by the gateway, with what it serves of the server’s capabilities',
  },
  { feature: '`server/discover` (2026-07-28)', what: 'the same' },
  { feature: '`tasks/get`, `tasks/cancel`, `tasks/update` (Tasks extension)', what: 'of the gateway’s own tasks: calls that wait for approval' },
  { feature: '`notifications/cancelled`', what: 'ends the call at the server too' },
  { feature: '`notifications/progress`, `…/list_changed`, `notifications/resources/updated`', what: 'passed on; of a masked call only numbers' },
];

const REFUSED: readonly Entry[] = [
  { feature: 'batches (JSON arrays)', what: 'Send one message at a time.' },
  { feature: 'unknown methods, members and directions', what: 'Nothing is passed on that was not judged.' },
  { feature: 'a member twice, also but for its case; numbers that JavaScript cannot hold exactly', what: 'Send what every reader reads alike.' },
  { feature: 'tools that are not pinned, or whose definition changed', what: '`interlock mcp pin TARGET`.' },
  {
    feature: '`$ref` to other documents, `$dynamicRef`, `unevaluatedProperties`, patterns that RE2 does not know, in a tool’s schema',
    what: 'Ask the server’s maker for a plainer schema: the tool cannot be called.',
  },
  { feature: 'shell commands as arguments (`as: shell`)', what: 'Nothing understands them yet, so such a call is refused.' },
  {
    feature: 'SQL in an argument that names a target which is not known to whoever judges',
    what: 'Run both in one process, or apart with `judging: remote` for both.',
  },
  { feature: 'sampling, elicitation and roots, asked by the server', what: '`from_server` of the target’s section allows them, one by one.' },
  { feature: 'log messages of the server', what: '`from_server.logging`; never of a masked call.' },
  {
    feature: 'tasks of the server: `task` in a call (2025-11-25), an answer that is a task (`resultType: task`, `task`), other kinds of results',
    what: 'Call without it: the gateway answers when the server does. The server is told of no client that has tasks.',
  },
  { feature: 'images, audio, blobs and words that are no JSON, in a masked answer', what: 'Let the tool answer JSON.' },
  { feature: 'masks by `hash`, `tokenize` and `bucket`, and detectors', what: 'Mask by `null`, `redact` or `partial`.' },
  { feature: 'the HTTP+SSE transport of 2024-11-05, and any other address than `/mcp/TARGET`', what: 'Use streamable HTTP.' },
  { feature: 'compressed messages', what: 'Send them plain.' },
  { feature: 'credentials but `env` for a server that is a process, and `env` for one over HTTP', what: 'Each takes its own.' },
  { feature: 'questions of a server of one era to a client of another', what: 'Use a client of the server’s era.' },
  { feature: 'a server’s stream that is no server-sent events', what: 'What is not understood is not passed on.' },
];

/** The page SUPPORT.md. */
export function renderSupport(): string {
  return `# What is supported of MCP

Written from support.ts by \`npm run generate\`. Clients of 2026-07-28, 2025-11-25, 2025-06-18 and 2025-03-26; servers of the same versions, over
streamable HTTP and stdio. \`_meta\` passes as far as the protocol defines it (progress token, trace context, log level); other keys stay here.

## Judged

| Request | Action |
| --- | --- |
${rows(JUDGED)}

## Answered or passed on

| Message | What becomes of it |
| --- | --- |
${rows(OWN)}

## Refused

| What | Instead |
| --- | --- |
${rows(REFUSED)}
`;
}

function rows(entries: readonly Entry[]): string {
  return entries.map(({ feature, what }) => `| ${feature} | ${what} |`).join('\n');
}
