/**
 * Slack, by an incoming webhook. Words of others stand in `plain_text` only, escaped all the same: no mention, no link, no command.
 * https://docs.slack.dev/reference/block-kit/blocks
 */
import type { Letter, Transport } from './parts.ts';
import { post } from './http-post.ts';
import { cut, slackText } from './text.ts';

/** What Slack takes of each. */
const HEADLINE_CHARS_MAX = 2_900;
const FIELD_CHARS_MAX = 1_900;

interface PlainText {
  readonly type: 'plain_text';
  readonly text: string;
  readonly emoji: false;
}
type Block =
  | { readonly type: 'section'; readonly text: PlainText }
  | { readonly type: 'section'; readonly fields: readonly PlainText[] }
  | { readonly type: 'actions'; readonly elements: readonly { readonly type: 'button'; readonly text: PlainText; readonly url: string }[] };

export interface SlackMessage {
  /** For notifications and screen readers. */
  readonly text: string;
  readonly mrkdwn: false;
  readonly parse: 'none';
  readonly link_names: false;
  readonly unfurl_links: false;
  readonly unfurl_media: false;
  readonly blocks: readonly Block[];
}

/** @param url the address of the webhook, which is a secret: read for each message */
export function slackChannel(options: { readonly url: () => Promise<string> }): Transport {
  return {
    kind: 'slack',
    reaches: () => true,
    send: async (letter, attempt) => post({ url: await options.url(), headers: {}, body: JSON.stringify(slackMessage(letter)) }, attempt),
  };
}

export function slackMessage({ headline, message }: Letter): SlackMessage {
  const facts = message.facts.map(([label, value]) => plainText(`${label}: ${value}`, FIELD_CHARS_MAX));
  return {
    text: cut(slackText(headline), HEADLINE_CHARS_MAX),
    mrkdwn: false,
    parse: 'none',
    link_names: false,
    unfurl_links: false,
    unfurl_media: false,
    blocks: [
      { type: 'section', text: plainText(headline, HEADLINE_CHARS_MAX) },
      ...(facts.length === 0 ? [] : [{ type: 'section' as const, fields: facts }]),
      { type: 'actions', elements: [{ type: 'button', text: plainText('Open in Interlock', 75), url: message.url }] },
    ],
  };
}

function plainText(text: string, charsMax: number): PlainText {
  return { type: 'plain_text', text: cut(slackText(text), charsMax), emoji: false };
}
