/** One line of a list of facts: its name, and what is so. */
import type { JSX, ReactNode } from 'react';

export function Fact({ name, children }: { readonly name: string; readonly children: ReactNode }): JSX.Element {
  return (
    <div className="fact">
      <dt>{name}</dt>
      <dd>{children}</dd>
    </div>
  );
}
