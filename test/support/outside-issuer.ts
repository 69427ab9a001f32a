/**
 * An OpenID Connect issuer in a process of its own, with keys of its own: discovery and key set over HTTP, and a control channel (IPC) by which a
 * test has tokens signed, keys rotated, and the issuer misbehave.
 */
import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { fileURLToPath } from 'node:url';
import { exportJWK, generateKeyPair, type JWK, type JWSAlgorithm, SignJWT } from 'jose';

export interface SignRequest {
  readonly header: Readonly<Record<string, unknown>> & { readonly alg: string };
  readonly claims: Readonly<Record<string, unknown>>;
}
export type Behaviour = 'well' | 'down' | 'redirect' | 'huge' | 'other-issuer' | 'other-host' | 'garbage';

type Order =
  | { readonly do: 'sign'; readonly request: SignRequest; readonly key: 'current' | 'retired' | 'never-published' }
  | { readonly do: 'rotate'; readonly keepOld: boolean }
  | { readonly do: 'behave'; readonly as: Behaviour }
  | { readonly do: 'stats' }
  | { readonly do: 'keys' };

export interface OutsideIssuer extends AsyncDisposable {
  readonly url: string;
  /** `kid` is filled in. */
  sign(request: SignRequest, key?: 'current' | 'retired' | 'never-published'): Promise<string>;
  rotate(keepOld: boolean): Promise<void>;
  behave(as: Behaviour): Promise<void>;
  /** How often the key set was asked for. */
  fetches(): Promise<number>;
  publicKeys(): Promise<readonly JWK[]>;
}

export async function startOutsideIssuer(): Promise<OutsideIssuer> {
  const child = fork(fileURLToPath(import.meta.url), ['serve'], { stdio: ['ignore', 'inherit', 'inherit', 'ipc'] });
  const [url] = (await once(child, 'message')) as [string];
  let orders = 0;
  const ask = async (order: Order): Promise<unknown> => {
    const id = ++orders;
    child.send({ id, order });
    return answerTo(child, id);
  };
  return {
    url,
    sign: async (request, key = 'current') => (await ask({ do: 'sign', request, key })) as string,
    rotate: async (keepOld) => void (await ask({ do: 'rotate', keepOld })),
    behave: async (as) => void (await ask({ do: 'behave', as })),
    fetches: async () => (await ask({ do: 'stats' })) as number,
    publicKeys: async () => (await ask({ do: 'keys' })) as JWK[],
    [Symbol.asyncDispose]: async () => {
      const gone = once(child, 'exit');
      child.disconnect();
      await gone;
    },
  };
}

function answerTo(child: ChildProcess, id: number): Promise<unknown> {
  const { promise, resolve } = Promise.withResolvers<unknown>();
  const onMessage = (message: unknown): void => {
    const answer = message as { id: number; answer: unknown };
    if (answer.id !== id) return;
    child.off('message', onMessage);
    resolve(answer.answer);
  };
  child.on('message', onMessage);
  return promise;
}

interface Key {
  readonly kid: string;
  readonly alg: JWSAlgorithm;
  readonly privateKey: Awaited<ReturnType<typeof generateKeyPair>>['privateKey'];
  readonly jwk: JWK;
}

let keysMade = 0;

async function makeKey(alg: JWSAlgorithm): Promise<Key> {
  const { privateKey, publicKey } = await generateKeyPair(alg, { extractable: true });
  const kid = `key-${++keysMade}`;
  return { kid, alg, privateKey, jwk: { ...(await exportJWK(publicKey)), kid, alg, use: 'sig' } };
}

const pairOf = async (): Promise<readonly Key[]> => Promise.all([makeKey('ES256'), makeKey('RS256')]);

async function serve(): Promise<void> {
  let current = await pairOf();
  let retired: readonly Key[] = [];
  const unpublished = await pairOf();
  let keepOld = true;
  let behaviour: Behaviour = 'well';
  let fetches = 0;
  const published = (): readonly Key[] => (keepOld ? [...current, ...retired] : current);
  const server = createServer((request, response) => {
    const own = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    const say = (document: unknown): void => void response.setHeader('content-type', 'application/json').end(JSON.stringify(document));
    // what it says then is well-formed, and yet no answer
    if (behaviour === 'down') response.statusCode = 503;
    if (behaviour === 'redirect') return void response.writeHead(302, { location: `${own}/elsewhere` }).end();
    if (behaviour === 'garbage') return void response.end('<html>');
    if (request.url === '/.well-known/openid-configuration') {
      // the same keys, but not where the issuer lives
      const host = behaviour === 'other-host' ? own.replace('127.0.0.1', 'localhost') : own;
      return say({ issuer: behaviour === 'other-issuer' ? 'https://evil.example.com' : own, jwks_uri: `${host}/jwks` });
    }
    fetches += 1;
    const keys = published().map((key) => key.jwk);
    say(behaviour === 'huge' ? { padding: 'x'.repeat(300_000), keys } : { keys });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;

  const obey = async (order: Order): Promise<unknown> => {
    switch (order.do) {
      case 'sign': {
        const from = { current, retired, 'never-published': unpublished }[order.key];
        const key = from.find((one) => one.alg === order.request.header.alg);
        if (!key) throw new Error(`no key for ${order.request.header.alg}`);
        return new SignJWT(order.request.claims).setProtectedHeader({ kid: key.kid, ...order.request.header }).sign(key.privateKey);
      }
      case 'rotate':
        retired = current;
        current = await pairOf();
        keepOld = order.keepOld;
        return null;
      case 'behave':
        behaviour = order.as;
        return null;
      case 'stats':
        return fetches;
      case 'keys':
        return published().map((key) => key.jwk);
    }
  };
  process.on('message', (message: { id: number; order: Order }) => {
    void obey(message.order).then((answer) => process.send?.({ id: message.id, answer }));
  });
  process.on('disconnect', () => process.exit(0));
  process.send?.(url);
}

if (process.argv[2] === 'serve' && process.send) await serve();
