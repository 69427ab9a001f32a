/** OPA's intermediate representation as `opa build -t plan` writes it: https://www.openpolicyagent.org/docs/ir */

export type Operand =
  | { readonly type: 'local'; readonly value: number }
  | { readonly type: 'string_index'; readonly value: number }
  | { readonly type: 'bool'; readonly value: boolean };

export interface Block {
  readonly stmts: readonly Stmt[] | null;
}

interface Statements {
  readonly ArrayAppendStmt: { readonly value: Operand; readonly array: number };
  readonly AssignIntStmt: { readonly value: number; readonly target: number };
  readonly AssignVarOnceStmt: { readonly source: Operand; readonly target: number };
  readonly AssignVarStmt: { readonly source: Operand; readonly target: number };
  readonly BlockStmt: { readonly blocks: readonly Block[] | null };
  readonly BreakStmt: { readonly index: number };
  readonly CallDynamicStmt: { readonly args: readonly number[]; readonly result: number; readonly path: readonly Operand[] };
  readonly CallStmt: { readonly func: string; readonly args: readonly Operand[]; readonly result: number };
  readonly DotStmt: { readonly source: Operand; readonly key: Operand; readonly target: number };
  readonly EqualStmt: { readonly a: Operand; readonly b: Operand };
  readonly IsArrayStmt: { readonly source: Operand };
  readonly IsDefinedStmt: { readonly source: number };
  readonly IsObjectStmt: { readonly source: Operand };
  readonly IsSetStmt: { readonly source: Operand };
  readonly IsUndefinedStmt: { readonly source: number };
  readonly LenStmt: { readonly source: Operand; readonly target: number };
  readonly MakeArrayStmt: { readonly target: number };
  readonly MakeNullStmt: { readonly target: number };
  readonly MakeNumberIntStmt: { readonly value: number; readonly target: number };
  readonly MakeNumberRefStmt: { readonly Index: number; readonly target: number };
  readonly MakeObjectStmt: { readonly target: number };
  readonly MakeSetStmt: { readonly target: number };
  readonly NopStmt: object;
  readonly NotEqualStmt: { readonly a: Operand; readonly b: Operand };
  readonly NotStmt: { readonly block: Block };
  readonly ObjectInsertOnceStmt: { readonly key: Operand; readonly value: Operand; readonly object: number };
  readonly ObjectInsertStmt: { readonly key: Operand; readonly value: Operand; readonly object: number };
  readonly ObjectMergeStmt: { readonly a: number; readonly b: number; readonly target: number };
  readonly ResetLocalStmt: { readonly target: number };
  readonly ResultSetAddStmt: { readonly value: number };
  readonly ReturnLocalStmt: { readonly source: number };
  readonly ScanStmt: { readonly source: number; readonly key: number; readonly value: number; readonly block: Block };
  readonly SetAddStmt: { readonly value: Operand; readonly set: number };
  readonly WithStmt: { readonly local: number; readonly path: readonly number[] | null; readonly value: Operand; readonly block: Block };
}
export type Stmt = { readonly [T in keyof Statements]: { readonly type: T; readonly stmt: Statements[T] } }[keyof Statements];

export interface PlanFunction {
  readonly name: string;
  readonly params: readonly number[];
  readonly return: number;
  readonly blocks: readonly Block[];
  readonly path?: readonly string[];
}

export interface Plan {
  readonly static: { readonly strings: readonly { readonly value: string }[] | null };
  readonly plans: { readonly plans: readonly { readonly name: string; readonly blocks: readonly Block[] }[] };
  readonly funcs: { readonly funcs: readonly PlanFunction[] | null };
}
