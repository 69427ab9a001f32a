/** What a human adds to an act: words, and for a review what they found. */
import type { JSX, KeyboardEvent } from 'react';
import type { ActForm } from './acts.ts';

/** A bound of the engine's too. */
const WORDS_MAX = 4000;

/** Where the focus begins when the dialog opens. */
export interface Focus {
  current: HTMLElement | null;
}

export function WordsField({
  form,
  required,
  words,
  change,
  field,
}: {
  readonly form: ActForm;
  readonly required: boolean;
  readonly words: string;
  readonly change: (words: string) => void;
  readonly field: Focus | null;
}): JSX.Element {
  const enter = (event: KeyboardEvent<HTMLTextAreaElement>): void => {
    if (event.key !== 'Enter' || event.shiftKey || event.nativeEvent.isComposing) return;
    event.preventDefault();
    event.currentTarget.form?.requestSubmit();
  };
  return (
    <label className="field">
      <span>
        {form.wordsLabel} <span className="quiet">{required ? '(needed)' : '(optional)'}</span>
      </span>
      <textarea
        ref={field === null ? null : (element) => void (field.current = element)}
        rows={3}
        maxLength={WORDS_MAX}
        aria-required={required}
        value={words}
        onChange={(event) => change(event.currentTarget.value)}
        onKeyDown={enter}
      />
      <span className="quiet hint">
        <kbd>Shift</kbd>+<kbd>Enter</kbd> for a new line
      </span>
    </label>
  );
}

export function Judged({
  first,
  choose,
  chosen,
}: {
  readonly first: Focus;
  readonly choose: (justified: boolean) => void;
  readonly chosen: boolean | null;
}): JSX.Element {
  return (
    <fieldset className="choices">
      <legend>It was</legend>
      {([true, false] as const).map((justified) => (
        <label key={String(justified)}>
          <input
            type="radio"
            name="justified"
            ref={justified ? (element) => void (first.current = element) : null}
            checked={chosen === justified}
            onChange={() => choose(justified)}
          />
          {justified ? 'justified' : 'not justified'}
        </label>
      ))}
    </fieldset>
  );
}
