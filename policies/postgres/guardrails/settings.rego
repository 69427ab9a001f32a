package policies.postgres.guardrails

# A session may change how dates and numbers are shown and how long it waits; nothing of who it is or how it is watched.
deny contains {
	"code": "SETTING_NOT_ALLOWED",
	"reason": concat("", [change_phrase(change), " is not allowed."]),
	"hint": concat("", [
		"Allowed: TimeZone, DateStyle 'ISO', extra_float_digits 1 to 3, client_encoding UTF8, search_path empty or public, ",
		"the application_name of a well-known client, timeouts above 0 and below the limit, and read-only transactions.",
	]),
} if {
	some change in input.sql.session
	not setting_allowed(change)
}

# SHOW and current_setting() name what they show as an effect.
deny contains {
	"code": "SETTING_NOT_READABLE",
	"reason": concat("", ["Reading the setting ", effect.object.name, " is not allowed."]),
	"hint": "Settings that drivers ask for can be read: server_version, TimeZone, search_path and the like.",
} if {
	some effect in input.sql.effects
	effect.object.kind == "setting"
	effect.verb == "read"
	not readable_setting(effect)
}

# A SHOW, or a call of current_setting, without such an effect is not known to be harmless.
deny contains {
	"code": "SETTING_NOT_READABLE",
	"reason": "Which setting this reads is not known.",
	"hint": "Name the setting as a literal.",
} if {
	settings_are_read
	some statement in input.sql.statements
	reads_setting(statement)
	not names_setting(statement)
}

# Likewise for set_config, whose change the facts must name.
deny contains {
	"code": "SETTING_NOT_ALLOWED",
	"reason": "Which setting this changes is not known.",
	"hint": "Name the setting and its value as literals.",
} if {
	"pg_catalog.set_config" in function_names
	count(input.sql.session) == 0
}

settings_are_read if "show" in kinds

settings_are_read if "pg_catalog.current_setting" in function_names

reads_setting(statement) if statement.kind == "show"

reads_setting(statement) if {
	some function in statement.functions
	function.name == "pg_catalog.current_setting"
}

names_setting(statement) if {
	some effect in input.sql.effects
	effect.statement == statement.index
	effect.verb == "read"
	effect.object.kind == "setting"
}

readable_setting(effect) if lower(effect.object.name) in readable_settings

readable_settings := {
	"application_name", "bytea_output", "client_encoding", "client_min_messages", "datestyle",
	"default_transaction_deferrable", "default_transaction_isolation", "default_transaction_read_only",
	"extra_float_digits", "idle_in_transaction_session_timeout", "integer_datetimes", "intervalstyle", "is_superuser",
	"lc_collate", "lc_ctype", "lc_messages", "lc_monetary", "lc_numeric", "lc_time", "lock_timeout",
	"max_identifier_length", "max_index_keys", "search_path", "server_encoding", "server_version",
	"server_version_num", "session_authorization", "standard_conforming_strings", "statement_timeout", "timezone",
	"transaction_deferrable", "transaction_isolation", "transaction_read_only", "transaction_timeout",
}

change_phrase(change) := concat("", ["Setting ", change.name, " to this value"]) if {
	change.op == "set"
} else := concat("", ["Resetting ", change.name]) if {
	change.op == "reset"
} else := "Changing the role or the whole state of the session"

setting_allowed(change) if {
	change.op == "set"
	value_allowed(lower(change.name), change.value)
}

# Back to what the gateway opened the session with.
setting_allowed(change) if {
	change.op == "reset"
	lower(change.name) in resettable
}

# DISCARD gives back what this session made; pools send it.
setting_allowed(change) if change.op == "discard"

resettable := {
	"all", "application_name", "bytea_output", "client_encoding", "client_min_messages", "datestyle",
	"default_transaction_deferrable", "default_transaction_isolation", "extra_float_digits",
	"idle_in_transaction_session_timeout", "intervalstyle", "lock_timeout", "search_path", "statement_timeout",
	"timezone", "transaction_timeout",
}

value_allowed("timezone", value) if is_string(value)

value_allowed("datestyle", value) if startswith(lower(value), "iso")

value_allowed("extra_float_digits", value) if value in {"1", "2", "3"}

value_allowed("client_encoding", value) if lower(value) in {"unicode", "utf-8", "utf8"}

value_allowed("standard_conforming_strings", value) if lower(value) in truths

# Nothing is found by a bare name then but PostgreSQL's own objects; migration and dump tools set it.
value_allowed("search_path", value) if value in {"", "\"\"", "pg_catalog"}

# What PostgreSQL starts with; facts follow it.
value_allowed("search_path", value) if replace(value, " ", "") in {"\"$user\",public", "public"}

# Values that PostgreSQL starts with, and fewer notices. More of them tell of plans and of the server.
value_allowed("client_min_messages", value) if lower(value) in {"error", "notice", "warning"}

value_allowed("bytea_output", value) if lower(value) == "hex"

value_allowed("intervalstyle", value) if lower(value) == "postgres"

value_allowed("application_name", value) if {
	some known in well_known_clients
	startswith(lower(value), known)
}

value_allowed("application_name", value) if value in own_application_names

# The name that the session was opened with.
value_allowed("application_name", value) if {
	value != ""
	value == input.context.client.application
}

value_allowed("statement_timeout", value) if timeout_allowed(value)

value_allowed("lock_timeout", value) if timeout_allowed(value)

value_allowed("idle_in_transaction_session_timeout", value) if timeout_allowed(value)

value_allowed("transaction_timeout", value) if timeout_allowed(value)

value_allowed("default_transaction_read_only", value) if lower(value) in truths

value_allowed("transaction_read_only", value) if lower(value) in truths

value_allowed("transaction_read_only", value) if {
	not read_only
	is_string(value)
}

value_allowed("default_transaction_read_only", value) if {
	not read_only
	is_string(value)
}

value_allowed("transaction_isolation", value) if is_string(value)

value_allowed("transaction_deferrable", value) if is_string(value)

value_allowed("default_transaction_isolation", value) if is_string(value)

value_allowed("default_transaction_deferrable", value) if is_string(value)

truths := {"1", "on", "true", "yes"}

timeout_allowed(value) if {
	ms := milliseconds(value)
	ms > 0
	ms <= statement_timeout_ms_max
}

milliseconds(value) := to_number(trim_suffix(lower(value), "ms")) if {
	not endswith(lower(value), "min")
	not seconds_unit(value)
} else := to_number(trim_suffix(lower(value), "min")) * 60000 if {
	endswith(lower(value), "min")
} else := to_number(trim_suffix(lower(value), "s")) * 1000

seconds_unit(value) if {
	endswith(lower(value), "s")
	not endswith(lower(value), "ms")
}

well_known_clients := {
	"asyncpg", "datagrip", "dbeaver", "django", "jdbc", "metabase", "node-postgres", "npgsql", "pg_dump", "pgadmin", "pgbench",
	"pgx", "postgresql jdbc driver", "psql", "psycopg", "rails", "sqlalchemy", "sqlx", "tableau",
}
