package policies.agents.tools_test

import data.policies.agents.tools

request(type, target, facts) := object.union(
	{
		"stage": "request",
		"subject": {"type": type, "properties": {"login": "bot", "groups": ["refunds"]}},
		"resource": {"type": "x", "id": target},
	},
	facts,
)

codes(asked, agents) := {entry.code |
	some entry in tools.deny with input as asked with data.agents as agents
}

lists := {"defaults": {"tools": {"files": ["search"]}, "operations": {"billing": ["getInvoice"]}}}

call(name) := {"mcp": {"tool": {"name": name}}}

operation(id) := {"http": {"operation": {"id": id}}}

test_what_is_listed if {
	codes(request("agent", "files", call("search")), lists) == set()
	codes(request("agent", "files", call("delete_file")), lists) == {"AGENT_TOOL"}
	codes(request("agent", "billing", operation("getInvoice")), lists) == set()
	codes(request("agent", "billing", operation("createRefund")), lists) == {"AGENT_OPERATION"}
}

test_an_operation_that_is_not_described_is_in_no_list if {
	codes(request("agent", "billing", {"http": {"operation": null}}), lists) == {"AGENT_OPERATION"}
}

test_without_a_list_nothing_happens if {
	codes(request("agent", "other", call("delete_file")), lists) == set()
	codes(request("agent", "other", operation("createRefund")), lists) == set()
	codes(request("agent", "files", call("delete_file")), {}) == set()
}

test_the_list_of_its_group_stands_in_the_place_of_the_default if {
	own := object.union(lists, {"by_group": {"refunds": {"operations": {"billing": ["createRefund"]}}}})
	codes(request("agent", "billing", operation("createRefund")), own) == set()
}

# Who meant a list and wrote something else gets none of it.
odd_lists := [
	{"files": "search"},
	{"files": [1, ["search"]]},
	{"files": {"search": true}},
	{"files": false},
	["search"],
	"search",
]

test_what_is_no_list_lists_nothing if {
	every list in odd_lists {
		codes(request("agent", "files", call("delete_file")), {"defaults": {"tools": list}}) == {"AGENT_TOOL"}
	}
	every list in [{"billing": "getInvoice"}, {"billing": [1]}, ["getInvoice"]] {
		codes(request("agent", "billing", operation("createRefund")), {"defaults": {"operations": list}}) == {"AGENT_OPERATION"}
	}
}

test_the_rest_of_a_list_counts if {
	codes(request("agent", "files", call("search")), {"defaults": {"tools": {"files": [1, "search"]}}}) == set()
}

test_null_is_no_list if {
	codes(request("agent", "files", call("search")), {"defaults": {"tools": {"files": null}}}) == set()
	codes(request("agent", "files", call("search")), {"defaults": {"tools": null}}) == set()
}

test_users_have_no_lists if {
	codes(request("user", "files", call("delete_file")), lists) == set()
	codes(request("user", "billing", operation("createRefund")), lists) == set()
}

test_sessions_are_opened_without_lists if {
	codes(object.union(request("agent", "billing", {}), {"stage": "session"}), lists) == set()
}
