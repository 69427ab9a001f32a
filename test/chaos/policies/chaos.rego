# METADATA
# title: What the chaos workload is labelled by
# description: Reads and inserts are allowed, one column of them masked, updates need another person, everything else is denied. For test/chaos only.
# scope: package
package policies.test.chaos

allow contains {"code": "OPEN", "reason": "Anybody may connect."} if input.stage == "session"

allow contains {"code": "READ", "reason": "Reads, inserts and transactions are allowed."} if {
	input.stage == "request"
	input.sql.parsed
	every effect in input.sql.effects {
		effect.verb in {"read", "insert", "transaction", "execute"}
	}
}

deny contains {"code": "NOT_READ", "reason": "Only reads, inserts and updates here."} if {
	some effect in input.sql.effects
	not effect.verb in {"read", "insert", "update", "transaction", "execute"}
}

require_approval contains {
	"code": "UPDATE",
	"reason": "Updates need another person.",
	"stages": [{"id": "second", "order": 1, "any_of": [{"group": "reviewers"}], "quorum": 1}],
	"grant": {"of": "statement", "uses": 1},
	"valid_for_s": 60,
	"expires_in_s": 600,
} if {
	some effect in input.sql.effects
	effect.verb == "update"
}

mask contains {
	"code": "PERSONAL",
	"reason": "Nobody reads this here.",
	"columns": ["public.people.ssn"],
	"using": "redact",
} if input.stage == "request"
