package policies.agents.writes_test

import data.policies.agents.writes

alice := {"login": "alice", "groups": ["support", "staff"]}

request(type, action, facts) := object.union(
	{
		"stage": "request",
		"subject": {"type": type, "properties": {"login": "bot", "groups": ["refunds"], "on_behalf_of": alice}},
		"action": {"name": action},
	},
	facts,
)

sql(verb, explain) := {"sql": {
	"statements": [{"explain": explain}],
	"effects": [{"verb": verb, "statement": 0, "object": {"qualified": "public.orders"}}],
}}

update := sql("update", "no")

approving := {"defaults": {"writes": "approve"}}

stages(asked, agents) := {stage.any_of |
	some entry in writes.require_approval with input as asked with data.agents as agents
	some stage in entry.stages
}

denials(asked, agents) := {entry.code |
	some entry in writes.deny with input as asked with data.agents as agents
}

test_the_humans_groups_decide if {
	stages(request("agent", "sql.execute", update), approving) == {[{"group": "support"}, {"group": "staff"}]}
}

test_only_those_that_count if {
	agents := {"defaults": {"writes": "approve", "approving_groups": ["support"]}}
	stages(request("agent", "sql.execute", update), agents) == {[{"group": "support"}]}
}

test_named_approvers_stand_in_their_place if {
	agents := {"defaults": {"writes": "approve", "approvers": [{"group": "leads"}]}}
	stages(request("agent", "sql.execute", update), agents) == {[{"group": "leads"}]}
}

# Who meant an approval and wrote something else gets one.
test_what_is_neither_word_is_held if {
	every odd in ["aprove", "Approve", true, ["approve"]] {
		stages(request("agent", "sql.execute", update), {"defaults": {"writes": odd}}) == {[{"group": "support"}, {"group": "staff"}]}
	}
	every plain in ["allow", null] {
		stages(request("agent", "sql.execute", update), {"defaults": {"writes": plain}}) == set()
	}
}

test_a_chain_by_name if {
	some entry in writes.require_approval with input as request("agent", "sql.execute", update)
		with data.agents as {"defaults": {"writes": "approve", "chain": "agent-write"}}
	entry.chain == "agent-write"
	not entry.stages
}

test_nobody_could_decide if {
	agents := {"defaults": {"writes": "approve", "approving_groups": ["nobody"]}}
	denials(request("agent", "sql.execute", update), agents) == {"AGENT_WRITE"}
	denials(request("agent", "sql.execute", update), approving) == set()
	denials(
		request("agent", "sql.execute", update),
		{"defaults": {"writes": "approve", "chain": "agent-write", "approving_groups": []}},
	) == set()
}

test_only_agents_and_only_where_it_is_asked if {
	stages(request("user", "sql.execute", update), approving) == set()
	stages(request("agent", "sql.execute", update), {}) == set()
	stages(
		request("agent", "sql.execute", update),
		{"defaults": {"writes": "approve"}, "by_group": {"refunds": {"writes": "allow"}}},
	) == set()
}

test_reading_needs_none if stages(request("agent", "sql.execute", sql("read", "no")), approving) == set()

test_planning_needs_none if stages(request("agent", "sql.execute", sql("update", "plan")), approving) == set()

call := {"mcp": {"tool": {"name": "search"}, "effects": []}}

searching := {"defaults": {"writes": "approve", "read_tools": ["search"]}}

test_operations_change if {
	post := {"http": {"effects": [{"verb": "insert", "object": {"qualified": "POST /refunds"}}]}}
	count(stages(request("agent", "http.request", post), approving)) == 1
}

test_tools_change_unless_they_are_known_to_read if {
	count(stages(request("agent", "mcp.call", call), approving)) == 1
	stages(request("agent", "mcp.call", call), searching) == set()
}

test_what_a_tool_is_given_counts if {
	nested := {"mcp": {"tool": {"name": "search"}, "effects": [{"verb": "delete", "object": {"qualified": "public.orders"}}]}}
	count(stages(request("agent", "mcp.call", nested), searching)) == 1
}

test_what_is_asked_for if {
	asked := {entry |
		some entry in writes.require_approval with input as request("agent", "sql.execute", update) with data.agents as approving
	}
	{object.filter(entry, ["code", "grant", "valid_for_s", "expires_in_s"]) | some entry in asked} == {{
		"code": "AGENT_WRITE",
		"grant": {"of": "statement", "uses": 1},
		"valid_for_s": 900,
		"expires_in_s": 86400,
	}}
}

test_nobody_is_asked_where_nobody_is_known if {
	agents := {"defaults": {"writes": "approve", "approving_groups": ["nobody"]}}
	stages(request("agent", "sql.execute", update), agents) == set()
}

test_who_could_decide_matters_for_changes_that_are_held_alone if {
	nobody := {"approving_groups": ["nobody"]}
	denials(request("agent", "sql.execute", update), {"defaults": nobody}) == set()
	denials(request("user", "sql.execute", update), {"defaults": object.union(nobody, {"writes": "approve"})}) == set()
	denials(request("agent", "sql.execute", sql("read", "no")), {"defaults": object.union(nobody, {"writes": "approve"})}) == set()
}

test_sessions_are_not_held if {
	session := object.union(request("agent", "session.open", update), {"stage": "session"})
	stages(session, approving) == set()
}

test_reading_of_apis_and_tools_needs_none if {
	get := {"http": {"effects": [{"verb": "read", "object": {"qualified": "GET /refunds"}}]}}
	stages(request("agent", "http.request", get), approving) == set()
	reading := {"mcp": {"tool": {"name": "search"}, "effects": [{"verb": "read", "object": {"qualified": "public.orders"}}]}}
	stages(request("agent", "mcp.call", reading), searching) == set()
	stages(request("agent", "mcp.list", call), approving) == set()
	count(stages(request("agent", "mcp.call", {"mcp": {"tool": {"name": "drop"}, "effects": []}}), searching)) == 1
}
