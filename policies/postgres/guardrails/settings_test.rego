package policies.postgres.guardrails_test

import data.policies.postgres.guardrails

test_every_setting_on_the_list_may_be_changed if {
	every pair in [
		["standard_conforming_strings", "on"], ["idle_in_transaction_session_timeout", "5s"], ["transaction_timeout", "5s"],
		["transaction_deferrable", "on"], ["default_transaction_isolation", "serializable"], ["default_transaction_deferrable", "on"],
	] {
		allowed(set(pair[0], pair[1]))
	}
}

test_application_names_come_from_data if {
	settings := object.union(groups, {"application_names": ["billing-api"]})
	every pair in [["billing-api", 0], ["dba", 1]] {
		denials := guardrails.deny with input as request(set("application_name", pair[0])) with data.guardrails as settings
		count(denials) == pair[1]
	}
}

test_schemas_of_the_system_by_their_prefix if {
	codes({"statements": [statement({})], "effects": [effect("read", system("pg_toast", "chunks"))]}) == {"SYSTEM_RELATION"}
}
