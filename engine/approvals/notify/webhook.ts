/** JSON by POST, signed as Standard Webhooks describes. https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md */
import { Webhook } from 'standardwebhooks';
import { DeliveryFailed } from './delivery-failed.ts';
import type { Letter, Transport } from './parts.ts';
import { post } from './http-post.ts';

const KEY_BYTES_MIN = 24;
const KEY_BYTES_MAX = 64;

export interface WebhookOptions {
  readonly url: string;
  /** `whsec_…`: read for each message. */
  readonly secret: () => Promise<string>;
  /** PEM; without it the system's roots. */
  readonly ca?: string;
}

export function webhookChannel({ url, secret, ca }: WebhookOptions): Transport {
  return {
    kind: 'webhook',
    reaches: () => true,
    send: async (letter, attempt) => {
      const body = JSON.stringify(webhookBody(letter));
      const { now } = attempt;
      const headers = {
        'webhook-id': letter.id,
        'webhook-timestamp': String(Math.floor(now.getTime() / 1000)),
        'webhook-signature': signer(await secret()).sign(letter.id, now, body),
      };
      await post({ url, headers, body, ...(ca === undefined ? {} : { ca }) }, attempt);
    },
  };
}

export interface WebhookBody {
  readonly type: string;
  readonly timestamp: string;
  readonly data: Letter['message']['data'] & { readonly text: string };
}

export function webhookBody({ message, headline, at }: Letter): WebhookBody {
  return { type: `interlock.${message.about}`, timestamp: at.toISOString(), data: { ...message.data, text: headline } };
}

/** A short key could be guessed from what it signed. */
function signer(secret: string): Webhook {
  const bytes = Buffer.from(secret.replace(/^whsec_/, ''), 'base64').length;
  if (bytes < KEY_BYTES_MIN || bytes > KEY_BYTES_MAX)
    throw new DeliveryFailed(`the secret is not base64 of ${KEY_BYTES_MIN} to ${KEY_BYTES_MAX} bytes`, { refused: true });
  return new Webhook(secret);
}
