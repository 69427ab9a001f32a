# METADATA
# title: What agents may call
# description: |
#   Lists of tools (of MCP servers) and operations (of APIs) by target: where a list stands, an agent may use what is
#   in it and nothing else, and does not see the rest. Lists allow nothing by themselves; that is for the target's own
#   policies. Users and services are not touched. Data read:
#
#     agents:
#       defaults:
#         tools: { files: [search, read_file] }             # by target
#         operations: { billing-api: [getInvoice, createRefund] }
#       by_group:                      # of agents with a group of their own; in the place of the default
#         refund-agents: { operations: { billing-api: [createRefund] } }
# scope: package
package policies.agents.tools

deny contains {
	"code": "AGENT_TOOL",
	"reason": concat("", ["This agent may not use the tool ", input.mcp.tool.name, "."]),
	"hint": concat("", ["It may use ", concat(", ", sort(listed)), "."]),
} if {
	agent
	has("tools")
	is_string(input.mcp.tool.name)
	not input.mcp.tool.name in listed
}

deny contains {
	"code": "AGENT_OPERATION",
	"reason": "This agent may not use this operation.",
	"hint": concat("", ["It may use ", concat(", ", sort(operations)), "."]),
} if {
	agent
	has("operations")
	not operation in operations
}

agent if {
	input.subject.type == "agent"
	input.stage == "request"
}

listed contains name if {
	some lists in said("tools")
	some name in lists[input.resource.id]
	is_string(name)
}

operations contains id if {
	some lists in said("operations")
	some id in lists[input.resource.id]
	is_string(id)
}

default operation := ""

operation := input.http.operation.id

# Of this target; undefined where no list stands. What is no list stands there too, and lists nothing.
has(name) if {
	some lists in said(name)
	is_object(lists)
	not is_null(object.get(lists, input.resource.id, null))
}

has(name) if {
	some lists in said(name)
	not is_object(lists)
	not is_null(lists)
}

# What the agent's own groups say; where none does, the default.
said(name) := values if {
	values := {value | some group in input.subject.properties.groups; value := data.agents.by_group[group][name]}
	count(values) > 0
} else := {value | value := data.agents.defaults[name]}
