# METADATA
# title: Ceilings for agents
# description: |
#   What an agent may do at most, whatever it and its human are allowed: only read, so many statements in a
#   minute, rows and objects in an hour. A ceiling stands with the agent (`interlock skill add --read-only
#   --rows-per-hour 500`), in the data, or in both: the lower one holds.
#   Users and services are not touched. Data read:
#
#     agents:
#       defaults:                      # of every agent; no ceiling where nothing is said
#         read_only: false
#         statements_per_minute: 60
#         rows_per_hour: 10000         # its budget of rows, over all its sessions
#         distinct_objects: 50         # tables, operations, tools … in an hour
#         read_tools: [search]         # tools of MCP servers that only read: nobody else can know
#       by_group:                      # of those with a group of their own; in the place of the default, of several the lowest
#         refund-agents: { rows_per_hour: 500 }
#
#   The counters (`input.context.usage`) are those of all enforcers of one engine, but for different objects, which each
#   enforcer counts alone: N of them are up to N times that ceiling (policies/README.md, Agents). Where they are not known, a
#   ceiling that needs them refuses.
# scope: package
package policies.agents.ceilings

deny contains {
	"code": "AGENT_READ_ONLY",
	"reason": concat("", ["This agent may only read; this would ", verb, " ", touched.qualified, "."]),
	"hint": "Read instead, or ask the agent's owner for an agent that may write.",
} if {
	read_only
	some [verb, touched] in changes
}

deny contains {
	"code": "AGENT_READ_ONLY",
	"reason": "This agent may only read.",
	"hint": "Read instead, or ask the agent's owner for an agent that may write.",
} if {
	read_only
	some statement in input.sql.statements
	not reading_class(statement)
}

deny contains {
	"code": "AGENT_READ_ONLY",
	"reason": concat("", ["This agent may only read; ", function.name, " changes a sequence."]),
	"hint": "Read instead, or ask the agent's owner for an agent that may write.",
} if {
	read_only
	some statement in input.sql.statements
	some function in statement.functions
	function.name in {"pg_catalog.nextval", "pg_catalog.setval"}
}

deny contains {
	"code": "AGENT_STATEMENTS",
	"reason": sprintf("This agent may send %d statements in a minute.", [ceiling("statements_per_minute")]),
	"hint": "Wait a minute, and ask for more with one statement instead of many.",
} if {
	counted
	input.context.usage.statements_last_minute > ceiling("statements_per_minute")
}

deny contains {
	"code": "AGENT_ROWS",
	"reason": sprintf("This agent may fetch %d rows in an hour, and has.", [ceiling("rows_per_hour")]),
	"hint": "Aggregate on the target, or fetch only the rows that are needed; the budget frees up within the hour.",
} if {
	counted
	input.context.usage.rows_last_hour >= ceiling("rows_per_hour")
}

deny contains {
	"code": "AGENT_OBJECTS",
	"reason": sprintf("This agent may touch %d different objects in an hour.", [ceiling("distinct_objects")]),
	"hint": "Stay with what the task needs; the budget frees up within the hour.",
} if {
	counted
	input.context.usage.objects_last_hour > ceiling("distinct_objects")
}

deny contains {
	"code": "AGENT_USAGE_UNKNOWN",
	"reason": "This agent has a ceiling, and what it did lately is not known here.",
	"hint": "Use an enforcer that counts.",
} if {
	counted
	not usage_known
	some name in ["statements_per_minute", "rows_per_hour", "distinct_objects"]
	ceiling(name) >= 0
}

agent if input.subject.type == "agent"

# A statement that is only prepared, or an entry of a list that is only shown, is judged again when it is used.
counted if {
	agent
	input.stage == "request"
	not input.action.name in {"sql.prepare", "mcp.list"}
}

usage_known if {
	is_number(input.context.usage.statements_last_minute)
	is_number(input.context.usage.rows_last_hour)
	is_number(input.context.usage.objects_last_hour)
}

read_only if {
	agent
	input.stage == "request"
	own.read_only == true
}

read_only if {
	agent
	input.stage == "request"
	some value in said("read_only")
	not value in {false, null}
}

# What the request changes: [verb, object].
changes contains [effect.verb, effect.object] if {
	some effect in input.sql.effects
	not effect.verb in {"execute", "read", "transaction"}
}

changes contains [effect.verb, effect.object] if {
	some effect in input.http.effects
	effect.verb != "read"
}

changes contains [effect.verb, effect.object] if {
	some effect in input.mcp.effects
	not effect.verb in {"execute", "read", "read_file", "transaction"}
}

changes contains ["call", {"qualified": input.mcp.tool.name}] if {
	input.action.name == "mcp.call"
	not reading_tool
}

reading_tool if {
	some names in said("read_tools")
	input.mcp.tool.name in names
}

reading_class(statement) if statement.class in {"read", "session", "transaction"}

# The lowest; undefined where there is none.
ceiling(name) := min(values) if {
	values := {at_most(value) | some value in (said(name) | {object.get(own, name, null)}); not is_null(value)}
	count(values) > 0
}

# Who meant a ceiling and wrote something else is told by the lowest there is, not by none.
at_most(value) := value if {
	is_number(value)
	value >= 0
} else := 0

default own := {}

own := input.subject.properties.ceilings

# What the agent's own groups say; where none does, the default.
said(name) := values if {
	values := {value | some group in input.subject.properties.groups; value := data.agents.by_group[group][name]}
	count(values) > 0
} else := {value | value := data.agents.defaults[name]}
