package policies.agents.ceilings_test

import data.policies.agents.ceilings

usage := {"statements_last_minute": 5, "rows_last_hour": 100, "objects_last_hour": 3, "denials_last_5_minutes": 0}

request(own, action, context) := {
	"stage": "request",
	"subject": {"type": "agent", "properties": {"login": "refunds", "groups": ["refunds"], "ceilings": own}},
	"action": {"name": action},
	"context": context,
}

codes(asked, agents) := {entry.code |
	some entry in ceilings.deny with input as asked with data.agents as agents
}

sql(class, verb) := {"sql": {
	"statements": [{"class": class, "functions": []}],
	"effects": [{"verb": verb, "object": {"qualified": "public.orders"}}],
}}

reading := sql("read", "read")

changing := sql("write", "update")

test_without_ceilings_nothing_happens if {
	codes(request({}, "sql.execute", {}), {}) == set()
	codes(object.union(request({}, "sql.execute", {}), changing), {}) == set()
}

test_the_lower_ceiling_holds if {
	codes(request({"statements_per_minute": 4}, "sql.execute", {"usage": usage}), {}) == {"AGENT_STATEMENTS"}
	codes(request({"statements_per_minute": 5}, "sql.execute", {"usage": usage}), {}) == set()
	agents := {"defaults": {"statements_per_minute": 2}}
	codes(request({"statements_per_minute": 9}, "sql.execute", {"usage": usage}), agents) == {"AGENT_STATEMENTS"}
	codes(
		request({"statements_per_minute": 1}, "sql.execute", {"usage": usage}),
		{"defaults": {"statements_per_minute": 9}},
	) == {"AGENT_STATEMENTS"}
}

test_that_of_its_group_stands_in_the_place_of_the_default if {
	agents := {"defaults": {"rows_per_hour": 10}, "by_group": {"refunds": {"rows_per_hour": 1000}}}
	codes(request({}, "sql.execute", {"usage": usage}), agents) == set()
	codes(
		request({}, "sql.execute", {"usage": usage}),
		{"defaults": {"rows_per_hour": 10}, "by_group": {"other": {"rows_per_hour": 1000}}},
	) == {"AGENT_ROWS"}
}

# Who meant a ceiling and wrote something else gets the lowest there is.
test_what_is_no_number_is_the_lowest_ceiling if {
	every odd in ["500", false, [500], {"max": 500}, -1, ""] {
		codes(request({}, "sql.execute", {"usage": usage}), {"defaults": {"rows_per_hour": odd}}) == {"AGENT_ROWS"}
		codes(request({}, "sql.execute", {"usage": usage}), {"defaults": {"statements_per_minute": odd}}) == {"AGENT_STATEMENTS"}
	}
	codes(request({}, "sql.execute", {"usage": usage}), {"defaults": {"rows_per_hour": null}}) == set()
}

test_what_is_no_boolean_is_read_only if {
	every odd in ["yes", 1, "true"] {
		codes(object.union(request({}, "sql.execute", {}), changing), {"defaults": {"read_only": odd}}) == {"AGENT_READ_ONLY"}
	}
	codes(object.union(request({}, "sql.execute", {}), changing), {"defaults": {"read_only": false}}) == set()
	codes(object.union(request({}, "sql.execute", {}), changing), {"defaults": {"read_only": null}}) == set()
}

# What it did lately is known whole or not at all.
test_a_usage_in_part_refuses if {
	part := json.remove(usage, ["rows_last_hour"])
	codes(request({"rows_per_hour": 5}, "sql.execute", {"usage": part}), {}) == {"AGENT_USAGE_UNKNOWN"}
}

test_objects if codes(request({"distinct_objects": 2}, "http.request", {"usage": usage}), {}) == {"AGENT_OBJECTS"}

test_what_is_not_counted_refuses if {
	codes(request({"rows_per_hour": 5}, "mcp.call", {}), {}) == {"AGENT_USAGE_UNKNOWN"}
}

test_what_is_only_prepared_or_shown_does_not_count if {
	codes(request({"rows_per_hour": 5}, "sql.prepare", {}), {}) == set()
	codes(request({"rows_per_hour": 5}, "mcp.list", {}), {}) == set()
}

test_users_have_no_ceilings if {
	asked := object.union(
		request({}, "sql.execute", {}),
		{"subject": {"type": "user", "properties": {"login": "alice", "groups": ["refunds"]}}},
	)
	codes(object.union(asked, changing), {"defaults": {"read_only": true, "statements_per_minute": 0}}) == set()
}

test_read_only_of_sql if {
	codes(object.union(request({"read_only": true}, "sql.execute", {}), reading), {}) == set()
	codes(object.union(request({"read_only": true}, "sql.execute", {}), changing), {}) == {"AGENT_READ_ONLY"}
	sequence := {"sql": {"statements": [{"class": "read", "functions": [{"name": "pg_catalog.nextval"}]}], "effects": []}}
	codes(object.union(request({}, "sql.execute", {}), sequence), {"defaults": {"read_only": true}}) == {"AGENT_READ_ONLY"}
}

test_read_only_of_http if {
	codes(
		object.union(
			request({"read_only": true}, "http.request", {}),
			{"http": {"effects": [{"verb": "read", "object": {"qualified": "GET /orders"}}]}},
		),
		{},
	) == set()
	codes(
		object.union(
			request({"read_only": true}, "http.request", {}),
			{"http": {"effects": [{"verb": "insert", "object": {"qualified": "POST /orders"}}]}},
		),
		{},
	) == {"AGENT_READ_ONLY"}
}

test_read_only_of_tools if {
	call := {"mcp": {"tool": {"name": "search"}, "effects": [{"verb": "execute", "object": {"qualified": "search"}}]}}
	codes(object.union(request({"read_only": true}, "mcp.call", {}), call), {}) == {"AGENT_READ_ONLY"}
	codes(object.union(request({"read_only": true}, "mcp.call", {}), call), {"defaults": {"read_tools": ["search"]}}) == set()
	writing := {"mcp": {"tool": {"name": "search"}, "effects": [{"verb": "delete", "object": {"qualified": "public.orders"}}]}}
	codes(
		object.union(request({"read_only": true}, "mcp.call", {}), writing),
		{"defaults": {"read_tools": ["search"]}},
	) == {"AGENT_READ_ONLY"}
}

test_read_only_by_class_and_by_effect if {
	only := request({"read_only": true}, "sql.execute", {})
	codes(object.union(only, {"sql": {"statements": [{"class": "ddl", "functions": []}], "effects": []}}), {}) == {"AGENT_READ_ONLY"}
	codes(object.union(only, sql("read", "update")), {}) == {"AGENT_READ_ONLY"}
}

test_an_agent_without_ceilings_of_its_own_has_those_of_all if {
	bare := {"subject": {"type": "agent", "properties": {"login": "refunds", "groups": ["refunds"]}}}
	asked := object.union(json.remove(request({}, "sql.execute", {"usage": usage}), ["subject"]), bare)
	codes(asked, {"defaults": {"statements_per_minute": 2}}) == {"AGENT_STATEMENTS"}
}

spent := {"statements_last_minute": 99, "rows_last_hour": 99, "objects_last_hour": 99, "denials_last_5_minutes": 0}

narrow := {"statements_per_minute": 5, "rows_per_hour": 5, "distinct_objects": 5}

test_what_is_spent_counts_where_it_is_used_alone if {
	codes(request(narrow, "sql.execute", {"usage": spent}), {}) == {"AGENT_STATEMENTS", "AGENT_ROWS", "AGENT_OBJECTS"}
	codes(request(narrow, "sql.prepare", {"usage": spent}), {}) == set()
	codes(request(narrow, "mcp.list", {"usage": spent}), {}) == set()
	codes(object.union(request(narrow, "session.open", {"usage": spent}), {"stage": "session"}), {}) == set()
}

test_the_last_object_is_allowed if {
	codes(request({"distinct_objects": 3}, "sql.execute", {"usage": usage}), {}) == set()
}

test_each_count_must_be_known if {
	every name in ["statements_last_minute", "rows_last_hour", "objects_last_hour"] {
		"AGENT_USAGE_UNKNOWN" in codes(request(narrow, "sql.execute", {"usage": json.remove(usage, [name])}), {})
	}
	"AGENT_USAGE_UNKNOWN" in codes(request({}, "sql.execute", {}), {"defaults": {"rows_per_hour": -1}})
}

using(name) := {"sql": {"statements": [{"class": "read", "functions": [{"name": name}]}], "effects": []}}

test_who_may_write_may_use_sequences_and_who_may_read_other_functions if {
	codes(object.union(request({}, "sql.execute", {}), using("pg_catalog.setval")), {}) == set()
	codes(object.union(request({"read_only": true}, "sql.execute", {}), using("pg_catalog.setval")), {}) == {"AGENT_READ_ONLY"}
	codes(object.union(request({"read_only": true}, "sql.execute", {}), using("pg_catalog.lower")), {}) == set()
}

test_read_only_is_of_agents_and_of_requests if {
	user := object.union(
		request({"read_only": true}, "sql.execute", {}),
		{"subject": {"type": "user", "properties": {"login": "alice", "groups": [], "ceilings": {"read_only": true}}}},
	)
	codes(object.union(user, changing), {}) == set()
	every own in [{}, {"read_only": true}] {
		session := object.union_n([request(own, "sql.execute", {}), {"stage": "session"}, changing])
		codes(session, {"defaults": {"read_only": true}}) == set()
		codes(session, {}) == set()
	}
}

test_tools_are_listed_to_whom_may_read_and_only_those_that_read_are_called if {
	tool := {"mcp": {"tool": {"name": "drop"}, "effects": []}}
	codes(object.union(request({"read_only": true}, "mcp.list", {}), tool), {}) == set()
	codes(object.union(request({"read_only": true}, "mcp.call", {}), tool), {"defaults": {"read_tools": ["search"]}}) == {"AGENT_READ_ONLY"}
}
