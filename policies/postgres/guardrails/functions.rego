package policies.postgres.guardrails

# Functions, and operators and casts that are not built in, by what they can do. A function of yours, or of an extension, may do
# anything: it is not allowed until the target's catalog says what it reads and writes.
deny contains {"code": refusal.code, "reason": concat("", [refusal.start, function.name, refusal.end]), "hint": refusal.hint} if {
	some statement in input.sql.statements
	some function in statement.functions
	not function_allowed(function)
	refusal := function_refusal(function)
}

function_allowed(function) if function.class == "pure"

function_allowed(function) if {
	function.class == "catalog"
	not about_server(function)
}

# Judged as the setting that it changes or shows (settings.rego), which the facts name.
function_allowed(function) if function.name in {"pg_catalog.current_setting", "pg_catalog.set_config"}

# Gives back what this session holds; asyncpg sends it when a connection returns to its pool.
function_allowed(function) if function.name == "pg_catalog.pg_advisory_unlock_all"

function_allowed(function) if function.name in sequence_functions

sequence_functions := {"pg_catalog.currval", "pg_catalog.lastval", "pg_catalog.nextval"}

# Of the functions that read the catalog, those that tell of the server, its files or its other sessions rather than of names and types.
about_server(function) if startswith(function.name, "pg_catalog.pg_stat_get_")

about_server(function) if function.name in server_functions

server_functions := {
	"pg_catalog.current_query",
	"pg_catalog.inet_server_addr",
	"pg_catalog.inet_server_port",
	"pg_catalog.pg_available_extension_versions",
	"pg_catalog.pg_conf_load_time",
	"pg_catalog.pg_current_wal_flush_lsn",
	"pg_catalog.pg_current_wal_insert_lsn",
	"pg_catalog.pg_current_wal_lsn",
	"pg_catalog.pg_cursor",
	"pg_catalog.pg_filenode_relation",
	"pg_catalog.pg_last_committed_xact",
	"pg_catalog.pg_last_wal_receive_lsn",
	"pg_catalog.pg_last_wal_replay_lsn",
	"pg_catalog.pg_last_xact_replay_timestamp",
	"pg_catalog.pg_listening_channels",
	"pg_catalog.pg_options_to_table",
	"pg_catalog.pg_postmaster_start_time",
	"pg_catalog.pg_prepared_statement",
	"pg_catalog.pg_relation_filenode",
	"pg_catalog.pg_relation_filepath",
	"pg_catalog.pg_settings_get_flags",
	"pg_catalog.pg_stat_have_stats",
	"pg_catalog.pg_tablespace_location",
	"pg_catalog.row_security_active",
}

function_refusal(function) := refusal if {
	refusal := function_refusals[function.class]
} else := function_refusals.unknown

function_refusals := {
	"admin": {
		"code": "ADMIN_FUNCTION",
		"start": "The function ",
		"end": " administers the server, waits, locks, or looks into how it is run.",
		"hint": "Ask the owner of the database.",
	},
	"catalog": {
		"code": "SERVER_FUNCTION",
		"start": "The function ",
		"end": " tells of the server or of other sessions.",
		"hint": "Names and types can be read from information_schema, pg_class, pg_attribute, pg_type and pg_namespace.",
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
		"end": " changes the state of the session.",
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
