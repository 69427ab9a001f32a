# METADATA
# title: Ask before deleting, and before reading orders
# description: |
#   For the corpus' cases about approvals only: everything else is allowed, so that nothing but the approval stands
#   between tampering and its effect.
# scope: package
package policies.test.ask_before

allow contains {"code": "TEST", "reason": "Only approvals are tested here."}

require_approval contains {
	"code": "ASK",
	"reason": "This needs an approval.",
	"stages": [{"id": "owner", "order": 1, "any_of": [{"group": "owners"}], "quorum": 1}],
	"grant": {"of": "statement", "uses": 1},
	"valid_for_s": 900,
	"expires_in_s": 3600,
	"rows_max": rows_max,
} if {
	input.stage == "request"
	asked
}

asked if {
	some effect in input.sql.effects
	effect.verb == "delete"
}

asked if {
	some statement in input.sql.statements
	statement.kind == "select"
	some effect in input.sql.effects
	effect.object.name == "orders"
}

# One row where a row is named.
default rows_max := 5

rows_max := 1 if {
	some statement in input.sql.statements
	statement.where == "bound"
}
