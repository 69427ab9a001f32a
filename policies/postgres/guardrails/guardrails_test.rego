package policies.postgres.guardrails_test

import data.policies.postgres.guardrails

# What a member of the read-write group asks for, with facts of one statement put over those of SELECT 1.
request(facts) := {
	"stage": "request",
	"action": {"name": "sql.execute"},
	"subject": {"properties": {"groups": ["developers"]}},
	"resource": {"type": "postgresql", "properties": {"env": "test"}},
	"context": {"client": {"application": "shop-api"}},
	"sql": object.union({"parsed": true, "statements": [], "effects": [], "session": [], "opaque": []}, facts),
}

statement(facts) := object.union(
	{
		"index": 0,
		"kind": "select",
		"class": "read",
		"where": "none",
		"locking": false,
		"functions": [],
		"explain": "no",
	},
	facts,
)

effect(verb, relation) := {"verb": verb, "object": relation, "statement": 0, "via": []}

orders := {"kind": "table", "schema": "public", "name": "orders", "qualified": "public.orders"}

system(schema, name) := {"kind": "table", "schema": schema, "name": name, "qualified": concat(".", [schema, name])}

groups := {"read_write": ["developers"], "read_only": ["analysts"]}

codes(facts) := {refusal.code |
	some refusal in guardrails.deny with input as request(facts) with data.guardrails as groups
}

codes_read_only(facts) := {refusal.code |
	asked := object.union(request(facts), {"subject": {"properties": {"groups": ["analysts"]}}})
	some refusal in guardrails.deny with input as asked with data.guardrails as groups
}

allowed(facts) if {
	count(guardrails.allow) > 0 with input as request(facts) with data.guardrails as groups
	codes(facts) == set()
}

test_member_may_connect if {
	asked := object.union(request({}), {"stage": "session"})
	count(guardrails.allow) == 1 with input as asked with data.guardrails as groups
	count(guardrails.deny) == 0 with input as asked with data.guardrails as groups
}

test_stranger_may_neither_connect_nor_read if {
	stranger := object.union(request({}), {"subject": {"properties": {"groups": ["sales"]}}})
	count(guardrails.allow) == 0 with input as stranger with data.guardrails as groups
	some refusal in guardrails.deny with input as stranger with data.guardrails as groups
	refusal.code == "NOT_A_MEMBER"
}

test_nobody_is_a_member_without_data if {
	count(guardrails.allow) == 0 with input as request({}) with data.guardrails as {}
	count(guardrails.deny) == 1 with input as request({}) with data.guardrails as {}
}

test_reads_and_empty_statements_are_allowed if {
	allowed({})
	allowed({"statements": [statement({})], "effects": [effect("read", orders)]})
}

test_what_is_not_understood_is_denied if {
	codes({"opaque": [{"code": "dynamic_code", "detail": "EXECUTE of a value"}]}) == {"NOT_UNDERSTOOD"}
	codes({"parsed": false}) == {"NOT_UNDERSTOOD"}
	codes(object.remove({"parsed": false}, ["parsed"])) == set()
}

test_kinds_are_refused_by_class if {
	some class, code in {
		"ddl": "DDL_NOT_ALLOWED",
		"dcl": "ACCESS_CONTROL_NOT_ALLOWED",
		"admin": "ADMINISTRATION_NOT_ALLOWED",
		"code": "CODE_NOT_ALLOWED",
		"session": "SESSION_COMMAND_NOT_ALLOWED",
		"write": "BULK_WRITE_NOT_ALLOWED",
		"made up": "STATEMENT_NOT_ALLOWED",
	}
	codes({"statements": [statement({"kind": "other", "class": class})]}) == {code}
}

test_every_class_has_its_refusal if {
	every class in ["ddl", "dcl", "admin", "code", "session", "write"] {
		count(codes({"statements": [statement({"kind": "other", "class": class})]})) == 1
	}
}

test_effects_outside_the_list_are_denied if {
	every verb in ["alter", "connect_out", "create", "drop", "grant", "read_file", "run_program", "signal", "truncate", "new"] {
		codes({"statements": [statement({})], "effects": [effect(verb, orders)]}) == {"EFFECT_NOT_ALLOWED"}
	}
}

test_copy_only_through_the_connection if {
	allowed({"statements": [statement({"kind": "copy", "copy": {"direction": "out", "through": "stdio"}})]})
	codes({"statements": [statement({"kind": "copy", "copy": {"direction": "out", "through": "program"}})]}) == {"COPY_ON_SERVER"}
	codes({"statements": [statement({"kind": "copy"})]}) == {"COPY_ON_SERVER"}
}

test_writes_need_a_key if {
	every where in ["none", "constant", "other", "new"] {
		every verb in ["delete", "update"] {
			codes({"statements": [statement({"kind": verb, "where": where})], "effects": [effect(verb, orders)]}) == {"WRITE_WITHOUT_KEY"}
		}
	}
	every where in ["bound", "keyed"] {
		allowed({"statements": [statement({"kind": "delete", "where": where})], "effects": [effect("delete", orders)]})
	}
	codes({"effects": [effect("delete", orders)]}) == {"WRITE_WITHOUT_KEY"}
}

test_a_missing_where_is_no_where if {
	bare := object.remove(statement({"kind": "delete"}), ["where"])
	codes({"statements": [bare], "effects": [effect("delete", orders)]}) == {"WRITE_WITHOUT_KEY"}
}

# What a denial reads may be missing because of a defect elsewhere: the denial must fire all the same.
test_a_missing_fact_denies if {
	writing := statement({"kind": "delete", "where": "bound", "copy": {"direction": "out", "through": "stdio"}})
	every field in ["kind", "where"] {
		facts := {"statements": [object.remove(writing, [field])], "effects": [effect("delete", orders)]}
		count(codes(facts)) > 0
	}
	count(codes({"statements": [object.remove(statement({"kind": "copy"}), ["copy"])]})) > 0
	count(codes({"effects": [object.remove(effect("read", orders), ["verb"])]})) > 0
	count(codes({"session": [object.remove(set("TimeZone", "UTC").session[0], ["value"])]})) > 0
	count(codes({"session": [object.remove(set("TimeZone", "UTC").session[0], ["op"])]})) > 0
	count(codes({"statements": [statement({"functions": [{"name": "public.f"}]})]})) > 0
	count(codes_read_only({"statements": [object.remove(statement({}), ["locking"])]})) > 0
}

test_explain_writes_nothing_but_analyze_does if {
	allowed({"statements": [statement({"kind": "explain", "explain": "plan"})], "effects": [effect("update", orders)]})
	analyzed := statement({"kind": "explain", "explain": "analyze"})
	codes({"statements": [analyzed], "effects": [effect("update", orders)]}) == {"WRITE_WITHOUT_KEY"}
}

test_insert_is_allowed if allowed({"statements": [statement({"kind": "insert"})], "effects": [effect("insert", orders)]})

test_functions_by_class if {
	every class in ["pure", "catalog"] {
		allowed({"statements": [statement({"functions": [{"name": "pg_catalog.f", "class": class}]})]})
	}
	every class, code in {
		"admin": "ADMIN_FUNCTION",
		"file": "FILE_FUNCTION",
		"network": "NETWORK_FUNCTION",
		"session": "SESSION_FUNCTION",
		"sql": "SQL_FUNCTION",
		"unknown": "UNKNOWN_FUNCTION",
		"user": "UNKNOWN_FUNCTION",
		"new": "UNKNOWN_FUNCTION",
	} {
		codes({"statements": [statement({"functions": [{"name": "public.f", "class": class}]})]}) == {code}
	}
}

test_functions_that_tell_of_the_server if {
	every name in ["inet_server_addr", "pg_stat_get_activity", "pg_relation_filepath"] {
		called := {"name": concat(".", ["pg_catalog", name]), "class": "catalog"}
		codes({"statements": [statement({"functions": [called]})]}) == {"SERVER_FUNCTION"}
	}
}

test_sequences_move_only_for_writers if {
	facts := {"statements": [statement({"functions": [{"name": "pg_catalog.nextval", "class": "session"}]})]}
	allowed(facts)
	sequence := {"kind": "other", "name": "orders_id_seq", "qualified": "public.orders_id_seq"}
	allowed(object.union(facts, {"effects": [effect("update", sequence)]}))
	codes_read_only(facts) == {"READ_ONLY_SESSION"}
}

test_system_relations if {
	allowed({"statements": [statement({})], "effects": [effect("read", system("pg_catalog", "pg_type"))]})
	allowed({"statements": [statement({})], "effects": [effect("read", system("information_schema", "columns"))]})
	every secret in [
		system("pg_catalog", "pg_authid"),
		system("pg_catalog", "pg_stat_activity"),
		system("pg_toast", "pg_toast_16384"),
		system("public", "pg_shadow"),
		system("information_schema", "routines"),
	] {
		codes({"statements": [statement({})], "effects": [effect("read", secret)]}) == {"SYSTEM_RELATION"}
	}
	bound := statement({"kind": "update", "where": "bound"})
	codes({"statements": [bound], "effects": [effect("update", system("pg_catalog", "pg_class"))]}) == {"SYSTEM_RELATION"}
}

reading_functions(columns) := {
	"statements": [statement({"columns": [{"column": concat(".", ["pg_catalog.pg_proc", name])} | some name in columns]})],
	"effects": [effect("read", system("pg_catalog", "pg_proc"))],
}

test_functions_without_their_code if {
	allowed(reading_functions(["proname", "prorettype"]))
	codes(reading_functions(["proname", "prosrc"])) == {"SYSTEM_RELATION"}
	codes(reading_functions(["*"])) == {"SYSTEM_RELATION"}
	codes(reading_functions([])) == {"SYSTEM_RELATION"}
}

set(name, value) := {"session": [{"op": "set", "name": name, "value": value, "local": false}]}

test_settings_that_a_session_may_change if {
	every pair in [
		["TimeZone", "Europe/Vienna"], ["datestyle", "ISO, DMY"], ["extra_float_digits", "3"], ["client_encoding", "UTF8"],
		["search_path", ""], ["application_name", "psql"], ["application_name", "shop-api"], ["statement_timeout", "5s"],
		["statement_timeout", "300000"], ["lock_timeout", "2min"], ["statement_timeout", "250ms"], ["transaction_isolation", "serializable"],
		["default_transaction_read_only", "off"], ["transaction_read_only", "off"], ["search_path", "public"],
		["search_path", "\"$user\", public"], ["client_min_messages", "warning"], ["bytea_output", "hex"], ["intervalstyle", "postgres"],
	] {
		allowed(set(pair[0], pair[1]))
	}
}

test_settings_that_it_may_not if {
	every pair in [
		["role", "postgres"], ["search_path", "evil, public"], ["statement_timeout", "0"], ["statement_timeout", "1h"],
		["statement_timeout", "6min"], ["statement_timeout", "-1"], ["statement_timeout", null], ["application_name", "dba"],
		["application_name", ""], ["extra_float_digits", "0"], ["datestyle", "German"], ["client_encoding", "SJIS"],
		["log_statement", "none"], ["session_replication_role", "replica"], ["search_path", "public, pg_catalog"],
		["client_min_messages", "debug5"], ["client_min_messages", "log"], ["bytea_output", "escape"], ["intervalstyle", "sql_standard"],
	] {
		codes(set(pair[0], pair[1])) == {"SETTING_NOT_ALLOWED"}
	}
	codes({"session": [{"op": "set_role", "name": "role", "value": "postgres", "local": false}]}) == {"SETTING_NOT_ALLOWED"}
	codes({"session": [{"op": "reset", "name": "role", "value": null, "local": false}]}) == {"SETTING_NOT_ALLOWED"}
}

test_pools_may_reset_and_discard if {
	allowed({"session": [{"op": "reset", "name": "all", "value": null, "local": false}]})
	allowed({"statements": [statement({"kind": "discard"})], "session": [{"op": "discard", "name": "all", "value": null, "local": false}]})
}

test_a_pool_gives_back_listens_and_locks if {
	allowed({"statements": [statement({"kind": "unlisten", "class": "session"})]})
	allowed({"statements": [statement({"functions": [{"name": "pg_catalog.pg_advisory_unlock_all", "class": "admin"}]})]})
	codes({"statements": [statement({"kind": "listen", "class": "session"})]}) == {"SESSION_COMMAND_NOT_ALLOWED"}
	codes({"statements": [statement({"functions": [{"name": "pg_catalog.pg_advisory_unlock", "class": "admin"}]})]}) == {"ADMIN_FUNCTION"}
}

test_limits_come_from_data if {
	every pair in [["1000", set()], ["3000", {"SETTING_NOT_ALLOWED"}]] {
		found := {refusal.code |
			some refusal in guardrails.deny with input as request(set("statement_timeout", pair[0]))
				with data.guardrails as object.union(groups, {"statement_timeout_ms_max": 2000})
		}
		found == pair[1]
	}
}

test_set_config_must_say_what_it_sets if {
	call := statement({"functions": [{"name": "pg_catalog.set_config", "class": "session"}]})
	codes({"statements": [call]}) == {"SETTING_NOT_ALLOWED"}
	allowed(object.union(set("search_path", ""), {"statements": [call]}))
}

test_settings_that_can_be_read if {
	every facts in [{"kind": "show"}, {"functions": [{"name": "pg_catalog.current_setting", "class": "session"}]}] {
		allowed({"statements": [statement(facts)], "effects": [effect("read", {"kind": "setting", "name": "server_version"})]})
		allowed({"statements": [statement(facts)], "effects": [effect("read", {"kind": "setting", "name": "is_superuser"})]})
		secret := {"statements": [statement(facts)], "effects": [effect("read", {"kind": "setting", "name": "hba_file"})]}
		codes(secret) == {"SETTING_NOT_READABLE"}
		codes({"statements": [statement(facts)]}) == {"SETTING_NOT_READABLE"}
	}
}

test_read_only_members_read if {
	codes_read_only({"statements": [statement({})], "effects": [effect("read", orders)]}) == set()
	codes_read_only({"statements": [statement({"kind": "explain", "explain": "plan"})], "effects": [effect("insert", orders)]}) == set()
	codes_read_only({"statements": [statement({"kind": "insert"})], "effects": [effect("insert", orders)]}) == {"READ_ONLY_SESSION"}
	codes_read_only({"statements": [statement({"locking": true})], "effects": [effect("read", orders)]}) == {"READ_ONLY_SESSION"}
	codes_read_only({"statements": [statement({"kind": "rollback_to"})]}) == {"READ_ONLY_SESSION"}
	codes_read_only({"statements": [statement({"kind": "rollback"})]}) == set()
	codes_read_only({"session": [{"op": "reset", "name": "all", "value": null, "local": false}]}) == {"READ_ONLY_SESSION"}
	codes_read_only(set("transaction_read_only", "on")) == set()
	codes_read_only(set("default_transaction_read_only", "on")) == set()
	"READ_ONLY_SESSION" in codes_read_only(set("transaction_read_only", "off"))
}
