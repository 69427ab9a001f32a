# METADATA
# title: Approval for writes in production
# description: |
#   A statement that changes rows of a target in production waits for somebody else's approval. What guardrails deny stays denied: an
#   approval never beats a denial. Data read:
#
#     production_writes:
#       environments: [production]     # values of a target's `env`; [production] where nothing is said
#       exempt: [release-automation]   # groups that need no approval; none where nothing is said
#       chain: production-write        # who decides, by a name in data.approval_chains; it says how long and how often, too …
#       stages:                        # … or spelt out: one statement, once, within 15 minutes. Beside a chain, stages narrow it.
#         - { id: owner, order: 1, any_of: [{ group: data-owners }], quorum: 1 }
#
#   Nobody can decide, and so nothing is written, where neither is said.
# scope: package
package policies.postgres.production_writes

require_approval contains object.union(asked, {
	"code": "PRODUCTION_WRITE",
	"reason": concat("", ["Changing ", effect.object.qualified, " in production needs an approval."]),
	"hint": "The request names who may decide; run the same statement again once it is approved.",
}) if {
	input.stage == "request"
	in_production
	not exempt
	some effect in input.sql.effects
	effect.verb in {"delete", "insert", "update"}
	not planned_only(effect)
}

deny contains {
	"code": "PRODUCTION_WRITE",
	"reason": "Changing rows in production needs an approval, and nobody is named who could give it.",
	"hint": "The owner of the policies names a chain in data.production_writes.chain, or reviewers in data.production_writes.stages.",
} if {
	input.stage == "request"
	in_production
	not exempt
	not by_chain
	count(stages) == 0
	some effect in input.sql.effects
	effect.verb in {"delete", "insert", "update"}
	not planned_only(effect)
}

asked := {
	"stages": stages,
	"grant": {"of": "statement", "uses": 1},
	"valid_for_s": 900,
	"expires_in_s": 86400,
} if {
	not by_chain
	count(stages) > 0
}

asked := {"chain": data.production_writes.chain} if {
	by_chain
	count(stages) == 0
}

asked := {"chain": data.production_writes.chain, "stages": stages} if {
	by_chain
	count(stages) > 0
}

by_chain if is_string(data.production_writes.chain)

in_production if input.resource.properties.env in environments

exempt if {
	some group in input.subject.properties.groups
	group in data.production_writes.exempt
}

# EXPLAIN without ANALYZE changes nothing.
planned_only(effect) if input.sql.statements[effect.statement].explain == "plan"

default environments := ["production"]

environments := data.production_writes.environments

default stages := []

stages := data.production_writes.stages
