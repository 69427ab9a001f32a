/** Whether a model can be asked, before anything is set up for it, and which. */

export interface ModelAccess {
  readonly key: string;
  readonly model: string;
}

const ANSWER_MS_MAX = 15_000;
const OTHERWISE = 'Without a model: `npm run demo` tells the same story with a scripted client.';

/** @throws Error with one readable line: no key, no network, or a key or model that is not accepted; the key is never in it */
export async function modelAccess(env: Readonly<Record<string, string | undefined>>): Promise<ModelAccess> {
  const { ANTHROPIC_API_KEY: key = '', ANTHROPIC_BASE_URL: base = 'https://api.anthropic.com', ANTHROPIC_MODEL: named } = env;
  if (key === '')
    throw new Error(
      `--model needs ANTHROPIC_API_KEY in the environment (ANTHROPIC_BASE_URL and ANTHROPIC_MODEL, where you want others). ${OTHERWISE}`,
    );
  const ask = async (path: string, body?: object): Promise<unknown> => {
    const url = `${base.replace(/\/$/, '')}${path}`;
    const response = await fetch(url, {
      headers: { 'content-type': 'application/json', 'x-api-key': key, 'anthropic-version': '2023-06-01' },
      ...(body === undefined ? {} : { method: 'POST', body: JSON.stringify(body) }),
      signal: AbortSignal.timeout(ANSWER_MS_MAX),
    }).catch((error: unknown) => {
      throw new Error(`${url} cannot be reached (${reasonOf(error)}): is there a network, and is ANTHROPIC_BASE_URL right? ${OTHERWISE}`);
    });
    const text = await response.text();
    if (response.ok) return jsonOf(text);
    const said = text.slice(0, 200).replaceAll(key, '…').replace(/\s+/g, ' ');
    throw new Error(
      `${url} answered ${response.status}: ${said}. Check ANTHROPIC_API_KEY${named === undefined ? '' : ` and ANTHROPIC_MODEL (${named})`}. ${OTHERWISE}`,
    );
  };
  if (named !== undefined && named !== '') {
    await ask('/v1/messages', { model: named, max_tokens: 1, messages: [{ role: 'user', content: 'Hello' }] });
    return { key, model: named };
  }
  const { data = [] } = ((await ask('/v1/models?limit=100')) ?? {}) as { readonly data?: readonly { readonly id: string }[] };
  const model = data.find(({ id }) => id.includes('sonnet')) ?? data[0];
  if (model === undefined) throw new Error(`${base}/v1/models lists no model: name one in ANTHROPIC_MODEL. ${OTHERWISE}`);
  return { key, model: model.id };
}

function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}

function reasonOf(error: unknown): string {
  const { cause, name } = error as Error;
  const { code, message } = (cause ?? {}) as NodeJS.ErrnoException;
  return code ?? message ?? name;
}
