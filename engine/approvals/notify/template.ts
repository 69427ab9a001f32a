/** The first line of a message: a text with fields, nothing more. Fields are filled in once: a field's value is never read as a template. */
import { NOTIFY_FIELDS, type NotifyField } from '#schemas/config';
import type { About, Message } from './parts.ts';

const HEADLINE_CHARS_MAX = 900;

export const TEMPLATES: Readonly<Record<About | 'gathered', string>> = {
  requested: '{{who}} asks for approval on {{target}}: {{summary}}',
  gathered: '{{count}} messages about requests by {{who}}',
  escalated: 'Still undecided, {{stage}}: {{who}} asks for approval on {{target}}: {{summary}}',
  settled: 'Request by {{who}} on {{target}} is {{outcome}}{{by}}',
  glass_broken: 'Glass broken by {{who}} on {{target}}: {{summary}}',
  glass_reviewed: 'Broken glass of {{who}} on {{target}}: review closed as {{outcome}}{{by}}',
  delegated: '{{who}} has handed their approvals to {{to}} until {{expires}}',
  test: 'Test message of Interlock',
};

export function filled(template: string, fields: Message['fields']): string {
  const text = template.replace(/\{\{([^{}]*)\}\}/g, (whole, name: string) => (isField(name) ? fields[name] : whole));
  return text.length <= HEADLINE_CHARS_MAX ? text : `${text.slice(0, HEADLINE_CHARS_MAX - 1)}…`;
}

function isField(name: string): name is NotifyField {
  return (NOTIFY_FIELDS as readonly string[]).includes(name);
}
