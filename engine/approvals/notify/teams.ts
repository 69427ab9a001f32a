/**
 * Microsoft Teams, by a workflow that posts what it receives. Words of others stand in `TextRun` only: unlike `TextBlock` it has no Markdown.
 * https://adaptivecards.io/explorer/TextRun.html
 */
import type { Letter, Transport } from './parts.ts';
import { post } from './http-post.ts';
import { cardText } from './text.ts';

interface TextRun {
  readonly type: 'TextRun';
  readonly text: string;
  readonly weight?: 'Bolder';
  readonly isSubtle?: true;
}
interface RichTextBlock {
  readonly type: 'RichTextBlock';
  readonly spacing?: 'Small';
  readonly inlines: readonly TextRun[];
}

export interface AdaptiveCard {
  readonly $schema: 'http://adaptivecards.io/schemas/adaptive-card.json';
  readonly type: 'AdaptiveCard';
  readonly version: '1.4';
  readonly body: readonly RichTextBlock[];
  readonly actions: readonly { readonly type: 'Action.OpenUrl'; readonly title: string; readonly url: string }[];
}

export interface TeamsMessage {
  readonly type: 'message';
  readonly attachments: readonly [
    { readonly contentType: 'application/vnd.microsoft.card.adaptive'; readonly contentUrl: null; readonly content: AdaptiveCard },
  ];
}

/** @param url the address of the workflow, which is a secret: read for each message */
export function teamsChannel(options: { readonly url: () => Promise<string> }): Transport {
  return {
    kind: 'teams',
    reaches: () => true,
    send: async (letter, attempt) => post({ url: await options.url(), headers: {}, body: JSON.stringify(teamsMessage(letter)) }, attempt),
  };
}

export function teamsMessage(letter: Letter): TeamsMessage {
  return { type: 'message', attachments: [{ contentType: 'application/vnd.microsoft.card.adaptive', contentUrl: null, content: cardOf(letter) }] };
}

export function cardOf({ headline, message }: Letter): AdaptiveCard {
  const facts = message.facts.map(
    ([label, value]): RichTextBlock => ({
      type: 'RichTextBlock',
      spacing: 'Small',
      inlines: [
        { type: 'TextRun', text: `${label}: `, isSubtle: true },
        { type: 'TextRun', text: cardText(value) },
      ],
    }),
  );
  return {
    $schema: 'http://adaptivecards.io/schemas/adaptive-card.json',
    type: 'AdaptiveCard',
    version: '1.4',
    body: [{ type: 'RichTextBlock', inlines: [{ type: 'TextRun', text: cardText(headline), weight: 'Bolder' }] }, ...facts],
    actions: [{ type: 'Action.OpenUrl', title: 'Open in Interlock', url: message.url }],
  };
}
