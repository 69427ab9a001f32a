package policies.mcp.tools_test

import data.policies.mcp.tools

policy := {"billing": {
	"groups": ["support"],
	"tools": {
		"search": {},
		"plain": null,
		"export": {"groups": ["analysts"]},
		"close": {"approve": true},
		"note": {"approve": "agents"},
		"refund": {"arguments": {
			"cents": {"required": true, "min": 1, "max": 50000, "approve_above": 5000},
			"currency": {"one_of": ["CHF", "EUR"]},
			"text": {"max_length": 5},
			"ticket": {"prefix": "SUP-"},
			"force": {"refused": true},
		}},
	},
	"resources": ["docs://handbook/"],
	"prompts": ["summarise"],
	"stages": stages,
}}

stages := [{"id": "owner", "order": 1, "any_of": [{"group": "leads"}], "quorum": 1}]

asked(action, mcp) := {
	"stage": "request",
	"subject": {"type": "user", "properties": {"login": "ann", "groups": ["support"]}},
	"action": {"name": action},
	"resource": {"type": "mcp", "id": "billing"},
	"mcp": object.union({"method": "x", "tool": null, "uri": null, "prompt": null, "arguments": {}}, mcp),
}

call(name, arguments) := asked("mcp.call", {"method": "tools/call", "tool": {"name": name}, "arguments": arguments})

answer(request, policy_data) := {
	"allow": {entry.code | some entry in tools.allow with input as request with data.mcp_tools as policy_data},
	"deny": {entry.code | some entry in tools.deny with input as request with data.mcp_tools as policy_data},
	"held": {entry.code | some entry in tools.require_approval with input as request with data.mcp_tools as policy_data},
}

allowed(request) if {
	found := answer(request, policy)
	count(found.allow) > 0
	count(found.deny) + count(found.held) == 0
}

denied(request, code) if code in answer(request, policy).deny

held(request) if {
	found := answer(request, policy)
	found.held == {"MCP_APPROVAL"}
	count(found.deny) == 0
}

test_members_connect_and_nobody_else if {
	session := {"stage": "session", "subject": asked("x", {}).subject, "resource": {"type": "mcp", "id": "billing"}}
	answer(session, policy).allow == {"MCP_MEMBER"}
	stranger := json.patch(session, [{"op": "replace", "path": "/subject/properties/groups", "value": ["others"]}])
	answer(stranger, policy) == {"allow": set(), "deny": {"MCP_NOT_A_MEMBER"}, "held": set()}
}

test_listed_tools if {
	allowed(call("search", {"q": "x"}))
	allowed(call("plain", {}))
	allowed(asked("mcp.list", {"method": "tools/list", "tool": {"name": "search"}}))
	denied(call("run_shell", {}), "MCP_NOT_LISTED")
	denied(asked("mcp.list", {"method": "tools/list", "tool": {"name": "run_shell"}}), "MCP_NOT_LISTED")
}

test_tools_of_some_members if {
	denied(call("export", {}), "MCP_NOT_LISTED")
	analyst := json.patch(call("export", {}), [{"op": "replace", "path": "/subject/properties/groups", "value": ["support", "analysts"]}])
	allowed(analyst)
	outsider := json.patch(call("export", {}), [{"op": "replace", "path": "/subject/properties/groups", "value": ["analysts"]}])
	denied(outsider, "MCP_NOT_A_MEMBER")
}

test_what_is_not_understood_is_refused if {
	code := {"code": "dynamic_sql", "detail": "$.sql: a DO block"}
	denied(asked("mcp.call", {"tool": {"name": "search"}, "opaque": [code]}), "NOT_UNDERSTOOD")
	allowed(asked("mcp.call", {"tool": {"name": "search"}, "opaque": []}))
}

test_lists_resources_prompts if {
	allowed(asked("mcp.list", {"method": "tools/list"}))
	answer(asked("mcp.list", {"method": "completion/complete"}), policy).allow == set()
	allowed(asked("mcp.read", {"method": "resources/read", "uri": "docs://handbook/a"}))
	denied(asked("mcp.read", {"method": "resources/read", "uri": "docs://other"}), "MCP_NOT_LISTED")
	denied(asked("mcp.list", {"method": "resources/list", "uri": "docs://other"}), "MCP_NOT_LISTED")
	allowed(asked("mcp.prompt", {"method": "prompts/get", "prompt": "summarise"}))
	denied(asked("mcp.prompt", {"method": "prompts/get", "prompt": "other"}), "MCP_NOT_LISTED")
}

# What is denied is not allowed, either.
test_an_entry_is_no_list if {
	every named in [{"tool": {"name": "run_shell"}}, {"uri": "docs://other"}, {"prompt": "other"}] {
		answer(asked("mcp.list", object.union({"method": "tools/list"}, named)), policy).allow == set()
	}
}

test_approvals if {
	held(call("close", {}))
	allowed(call("note", {}))
	agent := json.patch(call("note", {}), [{"op": "replace", "path": "/subject/type", "value": "agent"}])
	held(agent)
	held(call("refund", {"cents": 5001}))
	allowed(call("refund", {"cents": 5000}))
}

within_limits := [
	{"cents": 1},
	{"cents": 5000, "currency": "CHF", "text": "12345", "ticket": "SUP-7", "other": {"a": 1}},
]

test_within_limits if {
	every arguments in within_limits { allowed(call("refund", arguments)) }
}

out_of_limits := [
	{},
	{"cents": 0},
	{"cents": 50001},
	{"cents": "5"},
	{"cents": null},
	{"cents": 1, "currency": "USD"},
	{"cents": 1, "currency": null},
	{"cents": 1, "text": "123456"},
	{"cents": 1, "text": ["a"]},
	{"cents": 1, "ticket": "X-1"},
	{"cents": 1, "ticket": "SUP-/../x"},
	{"cents": 1, "ticket": 7},
	{"cents": 1, "force": true},
	{"cents": 1, "force": false},
]

test_out_of_limits if {
	every arguments in out_of_limits { denied(call("refund", arguments), "MCP_ARGUMENT") }
}

# What was meant is not known: it is refused, or waits.
test_misspelt_data if {
	odd := {
		"a": {"aprove": true},
		"b": {"arguments": {"x": {"maximum": 3}}},
		"c": {"arguments": {"x": 3}},
		"d": {"arguments": ["x"]},
	}
	every name, entry in odd {
		found := answer(call(name, {"x": 1}), {"billing": {"groups": ["support"], "tools": {name: entry}, "stages": stages}})
		"MCP_TOOL_DATA" in found.deny
	}
	waits := answer(call("e", {}), {"billing": {"groups": ["support"], "tools": {"e": {"approve": "yes"}}, "stages": stages}})
	waits.held == {"MCP_APPROVAL"}
	text := answer(call("f", {"x": 1}), {"billing": {"groups": ["support"], "tools": {"f": {"arguments": {"x": {"max": "9"}}}}}})
	text.deny == {"MCP_ARGUMENT"}
	entry := answer(call("g", {}), {"billing": {"groups": ["support"], "tools": {"g": "yes"}}})
	entry.deny == {"MCP_NOT_LISTED"}
	list := answer(call("h", {}), {"billing": {"groups": ["support"], "tools": ["h"]}})
	list.deny == {"MCP_NOT_LISTED"}
}

test_who_decides if {
	nobody := answer(call("close", {}), {"billing": {"groups": ["support"], "tools": {"close": {"approve": true}}}})
	nobody.deny == {"MCP_APPROVERS"}
	own := {"billing": object.union(policy.billing, {"tools": {"close": {"approve": true, "chain": "tool-call"}}})}
	some entry in tools.require_approval with input as call("close", {}) with data.mcp_tools as own
	entry.chain == "tool-call"
	not entry.stages
}

test_its_own_stages if {
	other := [{"id": "other", "order": 1, "any_of": [{"group": "others"}], "quorum": 1}]
	own := {"billing": object.union(policy.billing, {"tools": {"close": {"approve": true, "stages": other}}})}
	some entry in tools.require_approval with input as call("close", {}) with data.mcp_tools as own
	entry.stages == other
}

test_other_targets_are_not_touched if {
	elsewhere := json.patch(call("run_shell", {}), [{"op": "replace", "path": "/resource/id", "value": "files"}])
	answer(elsewhere, policy) == {"allow": set(), "deny": set(), "held": set()}
	answer(call("search", {}), {}) == {"allow": set(), "deny": set(), "held": set()}
	database := json.patch(call("search", {}), [{"op": "replace", "path": "/resource/type", "value": "postgresql"}])
	answer(database, policy) == {"allow": set(), "deny": set(), "held": set()}
}
