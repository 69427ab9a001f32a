/** `scripts/token` of a skill's folder: a fresh token on stdout, from the key beside it. Plain Node, nothing to install. */
export const TOKEN_SCRIPT = `#!/usr/bin/env node
// Prints a short-lived token for this agent. Usage: scripts/token [TARGET] [--fresh] [--for FILE]
//   TARGET     a token for this target alone; without it, for all of the agent's
//   --fresh    not the one that is kept in .token.json until it is about to expire
//   --for F    on behalf of the human whose own token is in file F (- for standard input)
// The private key in key.jwk stays here: what is sent is a statement that it signed, good for a minute and once.
'use strict';
const { createPrivateKey, randomUUID, sign } = require('node:crypto');
const { readFileSync, writeFileSync, renameSync } = require('node:fs');
const { join } = require('node:path');

const folder = join(__dirname, '..');
const { agent, issuer, token_endpoint: endpoint, ca } = JSON.parse(readFileSync(join(folder, 'agent.json'), 'utf8'));
const args = process.argv.slice(2);
const behalf = args.includes('--for') ? args[args.indexOf('--for') + 1] : null;
const target = args.find((word, at) => !word.startsWith('--') && args[at - 1] !== '--for') ?? '';
const kept = join(folder, '.token.json');

main().then(
  (token) => process.stdout.write(token + '\\n'),
  (error) => {
    process.stderr.write('no token: ' + error.message + '\\n');
    process.exitCode = 1;
  },
);

async function main() {
  const slot = target + (behalf === null ? '' : ' for ' + behalf);
  const before = args.includes('--fresh') || behalf !== null ? {} : read();
  if (before[slot] && before[slot].expires > Date.now() + 60_000) return before[slot].token;
  const { access_token: token, expires_in: seconds } = await ask();
  if (behalf === null) keep({ ...read(), [slot]: { token, expires: Date.now() + seconds * 1000 } });
  return token;
}

function assertion() {
  const key = createPrivateKey({ key: JSON.parse(readFileSync(join(folder, 'key.jwk'), 'utf8')), format: 'jwk' });
  const now = Math.floor(Date.now() / 1000);
  const part = (value) => Buffer.from(JSON.stringify(value)).toString('base64url');
  const claims = { iss: agent, sub: agent, aud: issuer, iat: now, exp: now + 60, jti: randomUUID() };
  const text = part({ alg: 'EdDSA', typ: 'JWT' }) + '.' + part(claims);
  return text + '.' + sign(null, Buffer.from(text), key).toString('base64url');
}

async function ask() {
  const form = new URLSearchParams({
    client_assertion_type: 'urn:ietf:params:oauth:client-assertion-type:jwt-bearer',
    client_assertion: assertion(),
  });
  if (behalf === null) form.set('grant_type', 'client_credentials');
  else {
    form.set('grant_type', 'urn:ietf:params:oauth:grant-type:token-exchange');
    form.set('subject_token', readFileSync(behalf === '-' ? 0 : behalf, 'utf8').trim());
    form.set('subject_token_type', 'urn:ietf:params:oauth:token-type:access_token');
  }
  if (target !== '') form.set('audience', target);
  const { status, text } = await post(new URL(endpoint), form.toString());
  let answer = {};
  try {
    answer = JSON.parse(text);
  } catch {
    // said below
  }
  if (status === 200 && typeof answer.access_token === 'string') return answer;
  throw new Error(endpoint + ' answered ' + status + (answer.error ? ': ' + answer.error + ': ' + answer.error_description : '') +
    (answer.error === 'invalid_client' ? '. The agent was removed, or got another key: ask its owner' : ''));
}

function post(url, body) {
  const { request } = require(url.protocol === 'https:' ? 'node:https' : 'node:http');
  const headers = { 'content-type': 'application/x-www-form-urlencoded', 'content-length': Buffer.byteLength(body) };
  const trusted = ca ? { ca: readFileSync(join(folder, ca)) } : {};
  return new Promise((resolve, reject) => {
    const asked = request(url, { method: 'POST', headers, timeout: 10_000, ...trusted }, (answer) => {
      let text = '';
      answer.setEncoding('utf8').on('data', (more) => (text += more)).on('end', () => resolve({ status: answer.statusCode, text })).on('error', reject);
    });
    asked.on('timeout', () => asked.destroy(new Error('no answer for 10 s'))).on('error', reject).end(body);
  });
}

function read() {
  try {
    return JSON.parse(readFileSync(kept, 'utf8'));
  } catch {
    return {};
  }
}

function keep(tokens) {
  const draft = kept + '.' + process.pid;
  writeFileSync(draft, JSON.stringify(tokens), { mode: 0o600 });
  renameSync(draft, kept);
}
`;
