# METADATA
# title: Tools of MCP servers
# description: |
#   Lets members of a target's groups use the tools, resources and prompts that the data names, within limits on their
#   arguments, and some of them only with an approval. Nobody but its owner knows what a tool does, so nothing is allowed
#   that is not named; a target that does not stand in the data is not touched. Data read:
#
#     mcp_tools:
#       billing-tools:                 # a target
#         groups: [support]            # who may connect, and see and use what follows
#         tools:
#           search: {}
#           export: { groups: [analysts] }      # those of the members alone
#           refund:
#             approve: agents          # true: each call waits for an approval; agents: those of agents
#             arguments:               # of those that stand in the call; all must hold
#               cents: { required: true, min: 1, max: 50000, approve_above: 5000 }
#               currency: { one_of: [CHF, EUR] }
#               note: { max_length: 200 }
#               ticket: { prefix: "SUP-" }
#               force: { refused: true }
#         resources: ["docs://handbook/"]       # beginnings of addresses
#         prompts: [summarise]
#         chain: tool-call             # who decides, by a name in data.approval_chains; a tool may say its own …
#         stages:                      # … or spelt out: one call, once, within 15 minutes
#           - { id: owner, order: 1, any_of: [{ group: support-leads }], quorum: 1 }
#
#   Paths, addresses and SQL in arguments are better told to the target (`mcp.arguments`): they are resolved there, and
#   judged as such. What this data says and nobody understands refuses the tool, or waits for an approval.
# scope: package
package policies.mcp.tools

allow contains {"code": "MCP_MEMBER", "reason": "Members of this server's groups may connect."} if {
	input.stage == "session"
	member
}

allow contains {"code": "MCP_LIST", "reason": "What there is may be listed; what may not be used is left out."} if {
	input.action.name == "mcp.list"
	member
	input.mcp.method in listing
	not names_something
}

allow contains {"code": "MCP_TOOL", "reason": "This tool may be used."} if {
	input.action.name in {"mcp.call", "mcp.list"}
	usable
}

allow contains {"code": "MCP_RESOURCE", "reason": "This resource may be read."} if {
	input.stage == "request"
	member
	readable
}

allow contains {"code": "MCP_PROMPT", "reason": "This prompt may be used."} if {
	input.stage == "request"
	member
	input.mcp.prompt in target.prompts
}

deny contains {
	"code": "MCP_NOT_A_MEMBER",
	"reason": "Only members of this server's groups may connect.",
	"hint": "The owner of the policies names them in data.mcp_tools.",
} if {
	governed
	not member
}

deny contains {
	"code": "MCP_NOT_LISTED",
	"reason": "This tool may not be used here.",
	"hint": concat("", ["Tools that may be used: ", concat(", ", sort(usable_tools)), "."]),
} if {
	governed
	is_string(input.mcp.tool.name)
	not usable
}

deny contains {
	"code": "MCP_NOT_LISTED",
	"reason": "This resource may not be read here.",
	"hint": "The owner of the policies names the beginnings of addresses in data.mcp_tools.",
} if {
	governed
	is_string(input.mcp.uri)
	not readable
}

deny contains {
	"code": "MCP_NOT_LISTED",
	"reason": "This prompt may not be used here.",
	"hint": "The owner of the policies names prompts in data.mcp_tools.",
} if {
	governed
	is_string(input.mcp.prompt)
	not prompt_listed
}

# What could not be read of an argument that the target declares as SQL, a path or an address cannot be judged.
deny contains {
	"code": "NOT_UNDERSTOOD",
	"reason": concat("", ["Part of this call cannot be judged: ", opaque.detail, "."]),
	"hint": "Write it plainly: SQL with literal names and no code in texts, paths and addresses in their usual form.",
} if {
	called
	some opaque in input.mcp.opaque
}

deny contains {
	"code": "MCP_ARGUMENT",
	"reason": concat("", ["The argument ", name, " of this tool is not within its limits."]),
	"hint": concat("", ["Limits of ", name, ": ", json.marshal(limits), "."]),
} if {
	called
	some name, limits in tool.arguments
	not within(name, limits)
}

deny contains {
	"code": "MCP_TOOL_DATA",
	"reason": "What the policies' data says of this tool is not understood.",
	"hint": "The owner of the policies corrects data.mcp_tools: entries, arguments and limits are objects with the pack's keys.",
} if {
	called
	not understood
}

deny contains {
	"code": "MCP_APPROVERS",
	"reason": "This call needs an approval, and nobody is named who could give it.",
	"hint": "The owner of the policies names a chain or stages in data.mcp_tools.",
} if {
	called
	held
	not asked
}

require_approval contains object.union(asked, {
	"code": "MCP_APPROVAL",
	"reason": concat("", ["Calling ", input.mcp.tool.name, " so needs an approval."]),
	"hint": "The request names who may decide; call the tool once more in the same way when it is approved.",
}) if {
	called
	held
}

governed if type_name(target) != "null"

target := data.mcp_tools[input.resource.id] if input.resource.type == "mcp"

member if {
	some group in input.subject.properties.groups
	group in target.groups
}

# Methods that tell what there is, or how much to tell; completions may tell more.
listing := {
	"tools/list",
	"resources/list",
	"resources/templates/list",
	"resources/unsubscribe",
	"prompts/list",
	"logging/setLevel",
	"subscriptions/listen",
}

names_something if is_string(input.mcp.tool.name)

names_something if is_string(input.mcp.uri)

names_something if is_string(input.mcp.prompt)

usable if input.mcp.tool.name in usable_tools

usable_tools contains name if {
	member
	some name, entry in target.tools
	open_to_them(entry)
}

open_to_them(entry) if is_null(entry)

open_to_them(entry) if {
	is_object(entry)
	is_null(object.get(entry, "groups", null))
}

open_to_them(entry) if {
	some group in input.subject.properties.groups
	group in entry.groups
}

readable if {
	some beginning in target.resources
	beginning != ""
	startswith(input.mcp.uri, beginning)
}

prompt_listed if input.mcp.prompt in target.prompts

called if {
	input.action.name == "mcp.call"
	usable
}

default tool := {}

tool := entry if {
	entry := target.tools[input.mcp.tool.name]
	is_object(entry)
}

understood if {
	every key, _ in tool {
		key in {"groups", "approve", "arguments", "chain", "stages"}
	}
	arguments := object.get(tool, "arguments", {})
	is_object(arguments)
	every limits in arguments {
		is_object(limits)
		every key, _ in limits {
			key in {"required", "refused", "min", "max", "approve_above", "one_of", "prefix", "max_length"}
		}
	}
}

# An argument that is not there is within its limits, unless it is required.
within(name, limits) if {
	not present(name)
	object.get(limits, "required", false) == false
}

within(name, limits) if {
	present(name)
	value := input.mcp.arguments[name]
	object.get(limits, "refused", false) == false
	at_least(value, object.get(limits, "min", null))
	at_most(value, object.get(limits, "max", null))
	one_of(value, object.get(limits, "one_of", null))
	begins(value, object.get(limits, "prefix", null))
	not_longer(value, object.get(limits, "max_length", null))
}

present(name) if _ := input.mcp.arguments[name]

at_least(_, bound) if is_null(bound)

at_least(value, bound) if {
	is_number(value)
	is_number(bound)
	value >= bound
}

at_most(_, bound) if is_null(bound)

at_most(value, bound) if {
	is_number(value)
	is_number(bound)
	value <= bound
}

one_of(_, values) if is_null(values)

one_of(value, values) if {
	is_array(values)
	value in values
}

begins(_, prefix) if is_null(prefix)

# What leads out again begins well, too.
begins(value, prefix) if {
	startswith(value, prefix)
	not contains(value, "..")
}

not_longer(_, bound) if is_null(bound)

not_longer(value, bound) if {
	is_string(value)
	is_number(bound)
	count(value) <= bound
}

# Who meant an approval and wrote something else gets one.
held if {
	approve := object.get(tool, "approve", null)
	not approve in {false, null, "agents"}
}

held if {
	tool.approve == "agents"
	input.subject.type == "agent"
}

held if {
	some name, limits in tool.arguments
	bound := object.get(limits, "approve_above", null)
	not is_null(bound)
	present(name)
	not at_most(input.mcp.arguments[name], bound)
}

asked := {"chain": said.chain} if is_string(said.chain)

asked := object.union(
	{"grant": {"of": "statement", "uses": 1}, "valid_for_s": 900, "expires_in_s": 86400},
	{"stages": said.stages},
) if {
	not by_chain
	is_array(said.stages)
	count(said.stages) > 0
}

by_chain if is_string(said.chain)

# The tool's own, else the target's.
said := {"chain": object.get(tool, "chain", null), "stages": object.get(tool, "stages", null)} if own

said := {"chain": object.get(target, "chain", null), "stages": object.get(target, "stages", null)} if not own

own if not is_null(object.get(tool, "chain", null))

own if not is_null(object.get(tool, "stages", null))
