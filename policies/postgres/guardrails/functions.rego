package policies.postgres.guardrails

# Functions, and operators and casts that are not built in, by what they can do. A function of yours, or of an extension, may do
# anything: it is not allowed until the target's catalog says what it reads and writes.
deny contains {"code": refusal.code, "reason": concat("", [refusal.start, function.name, refusal.end]), "hint": refusal.hint} if {
	some statement in input.sql.statements
	some function in statement.functions
	not function_allowed(function)
	refusal := function_refusal(function)
}

function_allowed(function) if {
	function.class in {"catalog", "pure"}
}

# Judged as the setting that it changes or shows (settings.rego), which the facts name.
function_allowed(function) if function.name in {"pg_catalog.current_setting", "pg_catalog.set_config"}

function_allowed(function) if function.name in sequence_functions

sequence_functions := {"pg_catalog.currval", "pg_catalog.lastval", "pg_catalog.nextval"}

function_refusal(function) := refusal if {
	refusal := function_refusals[function.class]
} else := function_refusals.unknown

function_refusals := {
	"admin": {
		"code": "ADMIN_FUNCTION",
		"start": "The function ",
		"end": " administers the server or shows how it is run.",
		"hint": "Ask the owner of the database.",
	},
	"file": {
		"code": "FILE_FUNCTION",
		"start": "The function ",
		"end": " reads or writes files of the server.",
		"hint": "Keep data in tables.",
	},
	"network": {
		"code": "NETWORK_FUNCTION",
		"start": "The function ",
		"end": " opens connections from the server.",
		"hint": "Connect to the other system yourself.",
	},
	"session": {
		"code": "SESSION_FUNCTION",
		"start": "The function ",
		"end": " waits, locks, signals, or changes the state of a session.",
		"hint": "Leave it out.",
	},
	"sql": {
		"code": "SQL_FUNCTION",
		"start": "The function ",
		"end": " runs SQL, or reads relations, that it is given as a value.",
		"hint": "Send that SQL itself.",
	},
	"user": {
		"code": "UNKNOWN_FUNCTION",
		"start": "What the function, operator or type ",
		"end": " does is not known.",
		"hint": "Use the functions, operators and types that PostgreSQL itself brings.",
	},
	"unknown": {
		"code": "UNKNOWN_FUNCTION",
		"start": "What the function, operator or type ",
		"end": " does is not known.",
		"hint": "Use the functions, operators and types that PostgreSQL itself brings.",
	},
}
