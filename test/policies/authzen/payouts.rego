# METADATA
# title: Payouts need approval
# description: For the tests of requests by outside enforcement points; nothing of this is shipped.
# scope: package
package policies.access.payouts

require_approval contains {
	"code": "PAYOUT",
	"reason": "Payouts of more than 1000 need the treasury.",
	"stages": [{"id": "treasury", "order": 1, "any_of": [{"group": "treasury"}], "quorum": 1}],
	"grant": {"of": "statement", "uses": 1},
	"valid_for_s": 600,
	"expires_in_s": 3600,
	"bind_session": false,
} if {
	input.action.name == "pay"
	input.resource.type == "payout"
	input.resource.properties.amount > 1000
}

allow contains {"code": "SMALL_PAYOUT", "reason": "Small payouts are free."} if {
	input.action.name == "pay"
	input.resource.type == "payout"
	input.resource.properties.amount <= 1000
}

deny contains {"code": "BLOCKED", "reason": "The receiver is blocked."} if {
	input.resource.properties.receiver == "mallory"
}

obligation contains {"type": "notification", "to": "treasury"} if {
	input.action.name == "pay"
	input.resource.type == "payout"
}
