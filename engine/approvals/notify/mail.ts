/** E-mail by SMTP. Addresses come from the configuration and from logins, both held against one form; words of others stand in the subject and the body only. */
import { createTransport } from 'nodemailer';
import type { Approver } from '#schemas/decision';
import { DeliveryFailed } from './delivery-failed.ts';
import type { Letter, Message, Transport } from './parts.ts';
import { isLoopback } from './http-post.ts';
import { cut, htmlText } from './text.ts';

export interface MailOptions {
  readonly host: string;
  readonly port: number;
  /** off: on loopback only. */
  readonly tls: 'starttls' | 'implicit' | 'off';
  /** PEM; without it the system's roots. */
  readonly ca?: string;
  /** The password is read for each message. */
  readonly login: { readonly user: string; readonly password: () => Promise<string> } | null;
  readonly from: string;
  /** Told of everything. */
  readonly to: readonly string[];
  /** null: nobody beside `to`. */
  readonly people: People | null;
  readonly timeoutMs: number;
  readonly addressesMax: number;
}

export interface People {
  readonly domain: string | null;
  readonly users: Readonly<Record<string, string>>;
  readonly groups: Readonly<Record<string, string>>;
}

/** RFC 5321 without its quoted and obsolete forms: nothing in it can end a header or begin another address. */
const ADDRESS = /^[A-Za-z0-9.!#$%&*+/=?^_{|}~-]{1,64}@[A-Za-z0-9](?:[A-Za-z0-9.-]{0,251}[A-Za-z0-9])?$/;
const SUBJECT_CHARS_MAX = 200;

export function mailChannel(options: MailOptions): Transport {
  if (options.tls === 'off' && !isLoopback(options.host)) throw new DeliveryFailed('mail without TLS leaves this machine', { refused: true });
  return {
    kind: 'smtp',
    reaches: (message) => addresses(message, options).length > 0,
    send: (letter, { signal }) => send(letter, options, signal),
  };
}

/** Whom a message is for; at most `addressesMax`. */
export function addresses(
  { audience }: Message,
  { to, people, addressesMax }: Pick<MailOptions, 'to' | 'people' | 'addressesMax'>,
): readonly string[] {
  const asked =
    people === null
      ? []
      : [...audience.approvers.flatMap((one) => ofApprover(one, people)), ...audience.logins.flatMap((one) => ofLogin(one, people))];
  return [...new Set([...to, ...asked])].filter((address) => ADDRESS.test(address)).slice(0, addressesMax);
}

/** A reference was looked up before; what is left of them named nobody. */
function ofApprover(approver: Approver, people: People): readonly string[] {
  if ('user' in approver) return ofLogin(approver.user, people);
  if ('ref' in approver) return [];
  return Object.hasOwn(people.groups, approver.group) ? [people.groups[approver.group] as string] : [];
}

function ofLogin(login: string, { users, domain }: People): readonly string[] {
  if (Object.hasOwn(users, login)) return [users[login] as string];
  if (login.includes('@')) return [login];
  return domain === null || !/^[A-Za-z0-9._-]{1,64}$/.test(login) ? [] : [`${login}@${domain}`];
}

async function send(letter: Letter, options: MailOptions, signal: AbortSignal): Promise<void> {
  const { host, port, tls, ca, login, from, timeoutMs } = options;
  const transport = createTransport({
    host,
    port,
    secure: tls === 'implicit',
    requireTLS: tls === 'starttls',
    ignoreTLS: tls === 'off',
    ...(ca === undefined ? {} : { tls: { ca } }),
    ...(login === null ? {} : { auth: { user: login.user, pass: await login.password() } }),
    connectionTimeout: timeoutMs,
    greetingTimeout: timeoutMs,
    socketTimeout: timeoutMs,
    disableFileAccess: true,
    disableUrlAccess: true,
  });
  const stop = (): void => transport.close();
  signal.addEventListener('abort', stop, { once: true });
  try {
    await Promise.race([transport.sendMail(mailOf(letter, from, addresses(letter.message, options))), aborted(signal)]);
  } catch (error) {
    throw failed(error);
  } finally {
    signal.removeEventListener('abort', stop);
    transport.close();
  }
}

function mailOf(
  { id, headline, message, at }: Letter,
  from: string,
  to: readonly string[],
): Parameters<ReturnType<typeof createTransport>['sendMail']>[0] {
  const place = from.slice(from.indexOf('@') + 1);
  const facts = message.facts.map(([label, value]) => `${label}: ${value}`);
  const about = message.data['approval_id'];
  return {
    from: { name: 'Interlock', address: from },
    to: [...to],
    subject: cut(headline, SUBJECT_CHARS_MAX),
    date: at,
    // the same for a repetition, and one thread for one request
    messageId: `<${id}@${place}>`,
    ...(typeof about === 'string' ? { references: [`<${about}@${place}>`] } : {}),
    headers: { 'Auto-Submitted': 'auto-generated', 'X-Auto-Response-Suppress': 'All' },
    text: `${headline}\n\n${facts.join('\n')}\n\nOpen in Interlock: ${message.url}\n`,
    html: htmlOf(headline, message),
  };
}

function htmlOf(headline: string, { facts, url }: Message): string {
  const rows = facts.map(([label, value]) => `<tr><td style="color:#555;padding-right:1em">${htmlText(label)}</td><td>${htmlText(value)}</td></tr>`);
  return `<!doctype html><html><body style="font-family:sans-serif"><p><b>${htmlText(headline)}</b></p><table>${rows.join('')}</table><p><a href="${htmlText(url)}">Open in Interlock</a></p></body></html>`;
}

async function aborted(signal: AbortSignal): Promise<never> {
  return await new Promise((_resolve, reject) => {
    const stop = (): void => reject(new DeliveryFailed('no answer in time'));
    if (signal.aborted) stop();
    else signal.addEventListener('abort', stop, { once: true });
  });
}

/** 5xx: refused for good (RFC 5321 §4.2.1). What the server said may hold addresses and more: its code is enough. */
function failed(error: unknown): DeliveryFailed {
  if (error instanceof DeliveryFailed) return error;
  const { responseCode, code } = error as { responseCode?: number; code?: string };
  if (typeof responseCode === 'number') return new DeliveryFailed(`SMTP status ${responseCode}`, { refused: responseCode >= 500 });
  return new DeliveryFailed(`cannot be sent (${typeof code === 'string' ? code : 'unknown'})`, { refused: code === 'EAUTH' || code === 'EENVELOPE' });
}
