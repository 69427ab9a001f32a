package policies.postgres.guardrails

# The kinds of statement (schemas/sql-kinds.ts) that applications and their drivers send.
application_kinds := {
	"begin", "close_cursor", "commit", "copy", "deallocate", "declare_cursor", "delete", "discard", "explain", "fetch", "insert",
	"merge", "move", "prepare", "release", "reset", "rollback", "rollback_to", "savepoint", "select", "set", "set_constraints",
	"show", "table", "unlisten", "update", "values",
}

# What a statement may do to an object; `execute` is judged by the class of the function.
application_verbs := {"delete", "execute", "insert", "lock", "read", "transaction", "update"}

# Gathered once for all rules: a text may have hundreds of statements. What is missing counts as something that is not allowed.
kinds contains object.get(statement, "kind", "missing") if some statement in input.sql.statements

verbs contains object.get(effect, "verb", "missing") if some effect in input.sql.effects

function_names contains function.name if {
	some statement in input.sql.statements
	some function in statement.functions
}

kind_refusal(statement) := refusal if {
	refusal := class_refusals[statement.class]
} else := {
	"code": "STATEMENT_NOT_ALLOWED",
	"reason": "Statements of this kind are not allowed.",
	"hint": "Read, insert, or update and delete rows that the WHERE clause names.",
}

class_refusals := {
	"ddl": {
		"code": "DDL_NOT_ALLOWED",
		"reason": "Statements that create, change or drop objects of the schema are not allowed here.",
		"hint": "Change the schema with a reviewed migration.",
	},
	"dcl": {
		"code": "ACCESS_CONTROL_NOT_ALLOWED",
		"reason": "Statements that change roles, rights or owners are not allowed here.",
		"hint": "Ask the owner of the database.",
	},
	"admin": {
		"code": "ADMINISTRATION_NOT_ALLOWED",
		"reason": "Statements that administer or lock the server are not allowed here.",
		"hint": "Ask the owner of the database.",
	},
	"code": {
		"code": "CODE_NOT_ALLOWED",
		"reason": "DO, CALL and EXECUTE run code that cannot be judged from the statement.",
		"hint": "Send the statements themselves.",
	},
	"session": {
		"code": "SESSION_COMMAND_NOT_ALLOWED",
		"reason": "This command changes who or what the session is, or talks to other sessions.",
		"hint": "Use the session as it was opened.",
	},
	"write": {
		"code": "BULK_WRITE_NOT_ALLOWED",
		"reason": "Statements that empty whole tables are not allowed.",
		"hint": "Use DELETE with a WHERE clause that compares a column with a value.",
	},
}

verb_phrase(verb) := phrase if {
	phrase := verb_phrases[verb]
} else := "do something that is not on the list of allowed effects"

verb_phrases := {
	"alter": "change an object of the schema",
	"connect_out": "open a connection from the server to elsewhere",
	"create": "create an object",
	"drop": "drop an object",
	"grant": "change rights",
	"read_file": "read a file of the server",
	"replicate": "replicate data out of the server",
	"run_program": "run a program on the server",
	"signal": "signal another session or the server",
	"truncate": "empty a table",
	"write_file": "write a file on the server",
}
