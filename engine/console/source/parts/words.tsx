/** Somebody else's words. They are isolated: what they hold cannot reorder what stands beside them. */
import type { JSX } from 'react';
import { visible } from './visible.ts';

export function Words({ children, className }: { readonly children: string; readonly className?: string }): JSX.Element {
  return <bdi className={className}>{visible(children)}</bdi>;
}

/** The engine's sentence: what stands between back-ticks is a name. */
export function Sentence({ children }: { readonly children: string }): JSX.Element {
  const parts = visible(children).split('`');
  return <bdi>{parts.map((part, index) => (index % 2 === 1 && index < parts.length - 1 ? <code key={index}>{part}</code> : part))}</bdi>;
}
