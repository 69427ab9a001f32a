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

test_users_have_no_lists if {
	codes(request("user", "files", call("delete_file")), lists) == set()
	codes(request("user", "billing", operation("createRefund")), lists) == set()
}
