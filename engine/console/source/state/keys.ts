/** The keyboard. A key acts only where nobody types and no dialog is open; with Ctrl, Alt or Meta it is the browser's. */
import { useEffect, useEffectEvent } from 'react';

export type Keys = Readonly<Record<string, () => void>>;

export function useKeys(keys: Keys): void {
  const press = useEffectEvent((event: KeyboardEvent): void => {
    const act = keys[event.key];
    if (act === undefined || event.defaultPrevented || event.repeat || event.ctrlKey || event.altKey || event.metaKey || isBusy(event.target)) return;
    event.preventDefault();
    act();
  });
  useEffect(() => {
    const listen = (event: KeyboardEvent): void => press(event);
    window.addEventListener('keydown', listen);
    return () => window.removeEventListener('keydown', listen);
  }, []);
}

function isBusy(target: EventTarget | null): boolean {
  if (document.querySelector('[role="dialog"], [role="alertdialog"], [role="menu"]') !== null) return true;
  return target instanceof HTMLElement && target.closest('input, textarea, select, [contenteditable]') !== null;
}

/** Moves the focus along the rows of a list (`data-row`); at its end `further` may turn the page. */
export function moveAlong(step: 1 | -1, further?: () => void): void {
  const rows = [...document.querySelectorAll<HTMLElement>('[data-row]')];
  const here = rows.findIndex((row) => row === document.activeElement || row.contains(document.activeElement));
  const next = here === -1 ? (step === 1 ? rows[0] : rows.at(-1)) : rows[here + step];
  if (next === undefined) return further?.();
  next.focus();
  next.scrollIntoView({ block: 'nearest' });
}
