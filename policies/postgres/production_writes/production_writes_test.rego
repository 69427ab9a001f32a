package policies.postgres.production_writes_test

import data.policies.postgres.production_writes

request(env, verb, explain) := {
	"stage": "request",
	"subject": {"properties": {"groups": ["developers"]}},
	"resource": {"type": "postgresql", "properties": {"env": env}},
	"sql": {
		"statements": [{"index": 0, "explain": explain}],
		"effects": [{"verb": verb, "object": {"qualified": "public.orders"}, "statement": 0}],
	},
}

stages := [{"id": "owner", "order": 1, "any_of": [{"group": "data-owners"}], "quorum": 1}]

approvals(asked, settings) := {entry.code |
	some entry in production_writes.require_approval with input as asked with data.production_writes as settings
}

denials(asked, settings) := {entry.code |
	some entry in production_writes.deny with input as asked with data.production_writes as settings
}

test_writes_in_production_need_approval if {
	every verb in ["delete", "insert", "update"] {
		approvals(request("production", verb, "no"), {"stages": stages}) == {"PRODUCTION_WRITE"}
		denials(request("production", verb, "no"), {"stages": stages}) == set()
	}
}

test_the_stages_are_those_of_the_data if {
	some entry in production_writes.require_approval with input as request("production", "update", "no")
		with data.production_writes as {"stages": stages}
	entry.stages == stages
	entry.reason == "Changing public.orders in production needs an approval."
}

test_a_chain_by_name_says_who_and_how_long if {
	some entry in production_writes.require_approval with input as request("production", "update", "no")
		with data.production_writes as {"chain": "production-write"}
	entry.chain == "production-write"
	object.keys(entry) & {"stages", "grant", "valid_for_s", "expires_in_s"} == set()
	denials(request("production", "update", "no"), {"chain": "production-write"}) == set()
}

test_stages_beside_a_chain_narrow_it if {
	some entry in production_writes.require_approval with input as request("production", "update", "no")
		with data.production_writes as {"chain": "production-write", "stages": stages}
	entry.chain == "production-write"
	entry.stages == stages
}

test_no_chain_is_no_name if {
	denials(request("production", "update", "no"), {"chain": null}) == {"PRODUCTION_WRITE"}
}

test_reads_and_other_environments_need_none if {
	approvals(request("production", "read", "no"), {"stages": stages}) == set()
	approvals(request("staging", "update", "no"), {"stages": stages}) == set()
	approvals(request("production", "update", "plan"), {"stages": stages}) == set()
	approvals(request("staging", "update", "no"), {"stages": stages, "environments": ["staging"]}) == {"PRODUCTION_WRITE"}
}

test_exempt_groups_need_none if {
	approvals(request("production", "update", "no"), {"stages": stages, "exempt": ["developers"]}) == set()
}

test_without_reviewers_nothing_is_written if {
	denials(request("production", "update", "no"), {}) == {"PRODUCTION_WRITE"}
	denials(request("production", "update", "no"), {"exempt": ["developers"]}) == set()
	denials(request("staging", "update", "no"), {}) == set()
	denials(request("production", "read", "no"), {}) == set()
	denials(request("production", "update", "analyze"), {}) == {"PRODUCTION_WRITE"}
}
