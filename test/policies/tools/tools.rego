# METADATA
# title: The tools of a test server
# description: |
#   For whole gateways before an MCP server: support may search, read customers (masked) and ask for refunds; everything else is hidden.
# scope: package
package policies.test.tools

shown := {"search", "customers", "picture", "refund", "run_sql"}

allow contains {"code": "MEMBER", "reason": "Support may connect."} if {
	input.stage == "session"
	some group in input.subject.properties.groups
	group == "support"
}

allow contains {"code": "TOOL", "reason": "Support may use this."} if {
	input.stage == "request"
	input.resource.type == "mcp"
	not named
}

allow contains {"code": "TOOL", "reason": "Support may use this."} if {
	input.stage == "request"
	input.mcp.tool.name in shown
	not asked
}

allow contains {"code": "READ", "reason": "Payments may be read."} if {
	input.stage == "request"
	input.resource.type == "postgresql"
	every effect in input.sql.effects { effect.verb == "read" }
}

# As policies/agents/ceilings has it.
deny contains {"code": "AGENT_ROWS", "reason": "This agent may fetch 3 rows in an hour, and has."} if {
	input.subject.type == "agent"
	input.mcp.method == "tools/call"
	input.context.usage.rows_last_hour >= 3
}

named if is_string(input.mcp.tool.name)

asked if {
	input.mcp.method == "tools/call"
	input.mcp.tool.name == "refund"
}

require_approval contains {
	"code": "REFUND",
	"reason": "Money leaves.",
	"stages": [{"id": "owner", "order": 1, "any_of": [{"group": "owners"}], "quorum": 1}],
	"grant": {"of": "statement", "uses": 1},
	"valid_for_s": 900,
	"expires_in_s": 3600,
} if {
	input.stage == "request"
	asked
}

mask contains {"code": "SSN", "reason": "Numbers of people.", "paths": {"$..ssn"}, "using": {"using": "redact"}} if {
	input.mcp.tool.name in {"customers", "picture"}
}
