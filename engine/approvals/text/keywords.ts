/** Words that are highlighted, and that start a statement: PostgreSQL's that are met in statements. Nothing is decided by this list. */
export const KEYWORDS: ReadonlySet<string> = new Set(
  `abort absolute access action add after aggregate all also alter always analyse analyze and any array as asc asymmetric at atomic attach
  authorization before begin between both by cache call called cascade case cast chain check checkpoint class close cluster coalesce collate column
  columns comment commit committed concurrently conflict constraint constraints copy cost create cross cube current current_catalog current_date
  current_role current_schema current_time current_timestamp current_user cursor cycle data database deallocate declare default defaults
  deferrable deferred definer delete depth desc detach disable discard distinct do domain drop each else enable encoding end enum escape event
  except exclude excluding execute exists explain expression extension external extract false family fetch filter first following for force
  foreign forward freeze from full function functions generated global grant granted greatest group grouping groups handler having hold identity
  if ilike immediate immutable import in include including increment index indexes inherit inherits initially inner inout input insert instead
  intersect interval into invoker is isnull isolation join key language large last lateral leading leakproof least left level like limit listen
  load local localtime localtimestamp location lock locked logged mapping match matched materialized maxvalue merge method minvalue move names
  natural new next no none normalize not nothing notify notnull nowait null nullif nulls of off offset oids old on only operator option options
  or order ordinality others out outer over overlaps overlay overriding owned owner parallel parameter partial partition password placing plan
  plans policy position preceding precision prepare prepared preserve primary prior privileges procedural procedure procedures program
  publication quote range read reassign recheck recursive references referencing refresh reindex relative release rename repeatable replace
  replica reset restart restrict return returning returns revoke right role rollback rollup routine routines row rows rule savepoint schema
  schemas scroll search security select sequence sequences serializable server session session_user set setof sets share show similar simple
  skip some sql stable standalone start statement statistics stdin stdout storage strict subscription substring symmetric system table tables
  tablesample tablespace temp template temporary then ties to trailing transaction transform treat trigger trim true truncate trusted type
  types uescape unbounded uncommitted unencrypted union unique unlisten unlogged until update user using vacuum valid validate value values
  variadic verbose view views volatile when where window with within without work write xmlforest xmlparse xmltable yes zone`
    .trim()
    .split(/\s+/),
);
