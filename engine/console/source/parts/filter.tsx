/** Filters are a form whose fields are the address: what is found can be shared. */
import { type FormEvent, type JSX, type ReactNode, useState } from 'react';
import type { Choice } from './choice.ts';
import { fieldText } from './field-text.ts';
import { navigate, useAddress, withQuery } from '../state/router.tsx';

export function FilterForm({
  names,
  children,
  label,
}: {
  readonly names: readonly string[];
  readonly children: ReactNode;
  readonly label: string;
}): JSX.Element {
  const address = useAddress();
  const submit = (event: FormEvent<HTMLFormElement>): void => {
    event.preventDefault();
    const fields = new FormData(event.currentTarget);
    const changes = Object.fromEntries(names.map((name) => [name, fieldText(fields, name)]));
    navigate(withQuery(address, { ...changes, cursor: null }));
  };
  const isFiltered = names.some((name) => address.query.has(name));
  const [isWhole, setWhole] = useState(names.slice(1).some((name) => address.query.has(name)));
  return (
    // a new address fills the fields anew: back and forward show what they searched for
    <form className={isWhole ? 'filters whole' : 'filters'} role="search" aria-label={label} onSubmit={submit} key={address.query.toString()}>
      {children}
      <div className="filter-acts">
        <button type="submit" className="primary">
          Search
        </button>
        {names.length > 1 && (
          <button type="button" className="more-filters" aria-expanded={isWhole} onClick={() => setWhole(!isWhole)}>
            {isWhole ? 'Fewer' : 'More filters'}
          </button>
        )}
        {isFiltered && (
          <button type="button" onClick={() => navigate(address.path)}>
            Clear
          </button>
        )}
      </div>
    </form>
  );
}

export function TextFilter({
  name,
  label,
  hint,
  list,
}: {
  readonly name: string;
  readonly label: string;
  readonly hint?: string;
  readonly list?: readonly string[];
}): JSX.Element {
  const { query } = useAddress();
  return (
    <label className={`filter filter-${name}`}>
      <span>{label}</span>
      <input
        name={name}
        defaultValue={query.get(name) ?? ''}
        placeholder={hint}
        autoComplete="off"
        spellCheck={false}
        list={list && `known-${name}`}
      />
      {list !== undefined && (
        <datalist id={`known-${name}`}>
          {list.map((value) => (
            <option key={value} value={value} />
          ))}
        </datalist>
      )}
    </label>
  );
}

/** A day on the calendar; also one before those that have a name. */
export function DateFilter({ name, label }: { readonly name: string; readonly label: string }): JSX.Element {
  const { query } = useAddress();
  return (
    <label className={`filter filter-${name}`}>
      <span>{label}</span>
      <input type="date" name={name} defaultValue={query.get(name) ?? ''} />
    </label>
  );
}

/** Chosen is searched: a choice needs no button. */
export function ChoiceFilter({
  name,
  label,
  any,
  choices,
}: {
  readonly name: string;
  readonly label: string;
  readonly any: string;
  readonly choices: readonly Choice[];
}): JSX.Element {
  const { query } = useAddress();
  return (
    <label className={`filter filter-${name}`}>
      <span>{label}</span>
      <select name={name} defaultValue={query.get(name) ?? ''} onChange={(event) => event.currentTarget.form?.requestSubmit()}>
        <option value="">{any}</option>
        {choices.map(({ value, name: shown }) => (
          <option key={value} value={value}>
            {shown}
          </option>
        ))}
      </select>
    </label>
  );
}
