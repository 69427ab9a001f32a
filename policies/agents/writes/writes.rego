# METADATA
# title: Approval for what agents change
# description: |
#   What an agent changes waits for the approval of somebody who is close to the human behind it: a member of one of
#   that human's groups, or whoever the data names. The human themselves never counts. Users and services are not
#   touched. Data read:
#
#     agents:
#       defaults:
#         writes: approve              # approve | allow; nothing happens here where nothing is said
#         approvers: [{ group: support-leads }]   # who may; members of the human's groups where nothing is said
#         approving_groups: [support]  # of the human's groups only these count; all of them where nothing is said
#         chain: agent-write           # in the place of approvers, by a name in data.approval_chains
#         read_tools: [search]         # tools of MCP servers that only read: calls of others are changes
#       by_group:                      # of agents with a group of their own; in the place of the default
#         refund-agents: { writes: approve }
#
#   Nobody can decide, and so nothing is changed, where neither is known.
# scope: package
package policies.agents.writes

require_approval contains object.union(asked, {
	"code": "AGENT_WRITE",
	"reason": concat("", ["What an agent changes waits for somebody else: ", verb, " ", name, "."]),
	"hint": "The request names who may decide; do the same once more when it is approved.",
}) if {
	held
	some [verb, name] in changes
}

deny contains {
	"code": "AGENT_WRITE",
	"reason": "What agents change needs an approval, and nobody is known who could give it.",
	"hint": "The owner of the policies names approvers or a chain in data.agents, or the human behind the agent is a member of a group.",
} if {
	held
	not by_chain
	count(approvers) == 0
	count(changes) > 0
}

held if {
	input.subject.type == "agent"
	input.stage == "request"
	some value in said("writes")
	not value in {"allow", null}
}

asked := {"chain": chain} if by_chain

asked := {
	"stages": [{"id": "agent-human", "order": 1, "any_of": approvers, "quorum": 1}],
	"grant": {"of": "statement", "uses": 1},
	"valid_for_s": 900,
	"expires_in_s": 86400,
} if {
	not by_chain
	count(approvers) > 0
}

by_chain if is_string(chain)

chain := min(said("chain"))

approvers := [approver | some list in said("approvers"); some approver in list] if count(said("approvers")) > 0

approvers := [{"group": group} |
	some group in input.subject.properties.on_behalf_of.groups
	counts(group)
] if {
	count(said("approvers")) == 0
}

counts(group) if {
	some names in said("approving_groups")
	group in names
}

counts(_) if count(said("approving_groups")) == 0

# EXPLAIN without ANALYZE changes nothing.
changes contains [effect.verb, effect.object.qualified] if {
	some effect in input.sql.effects
	not effect.verb in {"execute", "read", "transaction", "lock"}
	not planned_only(effect)
}

# The object says method and route: `POST /refunds`.
changes contains ["request", effect.object.qualified] if {
	some effect in input.http.effects
	effect.verb != "read"
}

changes contains [effect.verb, effect.object.qualified] if {
	some effect in input.mcp.effects
	not effect.verb in {"execute", "read", "read_file", "transaction", "lock"}
}

changes contains ["call", input.mcp.tool.name] if {
	input.action.name == "mcp.call"
	not reading_tool
}

reading_tool if {
	some names in said("read_tools")
	input.mcp.tool.name in names
}

planned_only(effect) if input.sql.statements[effect.statement].explain == "plan"

# What the agent's own groups say; where none does, the default.
said(name) := values if {
	values := {value | some group in input.subject.properties.groups; value := data.agents.by_group[group][name]}
	count(values) > 0
} else := {value | value := data.agents.defaults[name]}
