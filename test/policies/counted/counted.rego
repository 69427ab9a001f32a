# METADATA
# title: What hangs on how much was asked lately
# description: |
#   For whole gateways: what a dry run says of these is not what is said really, where an agent's statements count.
#   Writes of agents need an approval until their third statement in a minute; those of group `late` from their first
#   on (a dry run counts none).
# scope: package
package policies.test.counted

allow contains {"code": "KNOWN", "reason": "Whoever is known may connect and ask."} if {
	some group in input.subject.properties.groups
	group in {"early", "late"}
}

deny contains {"code": "NO_DELETE", "reason": "Nothing is deleted here.", "hint": "Set its status instead."} if {
	some effect in input.sql.effects
	effect.verb == "delete"
}

deny contains {"code": "NO_DELETE", "reason": "Nothing is deleted here.", "hint": "Set its status instead."} if {
	input.http.method == "DELETE"
}

require_approval contains {
	"code": "WRITE",
	"reason": "Writes need an approval.",
	"stages": [{"id": "owner", "order": 1, "any_of": [{"group": "owners"}], "quorum": 1}],
	"grant": {"of": "statement", "uses": 1},
	"valid_for_s": 900,
	"expires_in_s": 3600,
} if {
	writes
	by_count
}

by_count if {
	"early" in input.subject.properties.groups
	input.context.usage.statements_last_minute < 3
}

by_count if {
	"late" in input.subject.properties.groups
	input.context.usage.statements_last_minute > 0
}

writes if {
	some effect in input.sql.effects
	effect.verb == "update"
}

writes if input.http.method == "POST"

writes if input.mcp.tool.name == "refund"
