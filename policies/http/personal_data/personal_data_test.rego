package policies.http.personal_data_test

import data.policies.http.personal_data

fields := {
	"Customer.ssn": {"tags": ["pii"]},
	"Customer.email": {"tags": ["contact", "pii"], "mask": {"using": "partial", "keep": 4}},
	"Customer.city": {"tags": ["region"]},
}

request(facts) := {
	"stage": "request",
	"subject": {"properties": {"groups": ["developers"]}},
	"resource": {"type": "http"},
	"http": object.union({"query": {}, "params": {}, "body": {"keys": []}}, facts),
}

masks(asked, settings) := {entry |
	some entry in personal_data.mask with input as asked
		with data.catalog.fields as fields
		with data.personal_data as settings
		with data.http_personal_data as {}
}

refused(facts) := {refusal.code |
	some refusal in personal_data.deny with input as request(facts) with data.catalog.fields as fields with data.personal_data as {}
}

test_fields_of_graphql_are_masked_by_name if {
	asked := request({"graphql": {"operation": "query", "fields": []}, "output": []})
	found := {column: entry.using | some entry in masks(asked, {}); some column in entry.columns}
	found == {"Customer.ssn": {"using": "redact"}, "Customer.email": {"using": "partial", "keep": 4}}
}

trusting(output) := {column |
	some entry in personal_data.mask with input as request({"output": output})
		with data.catalog.fields as fields
		with data.personal_data as {}
		with data.http_personal_data as {"trust_descriptions": true}
	some column in entry.columns
}

test_described_ones_where_data_says_so if {
	trusting([{"field": "Health.state", "path": "$.state"}]) == {"Customer.ssn", "Customer.email"}
	trusting([]) == set()
	masks(request({"output": [{"field": "Health.state", "path": "$.state"}]}), {}) == masks(request({}), {})
}

test_elsewhere_wherever_they_stand if {
	{path | some entry in masks(request({}), {}); some path in entry.paths} == {"$..ssn", "$..email"}
}

test_exempt_groups_see_values if {
	masks(request({}), {"exempt": ["developers"]}) == set()
	masks(request({"graphql": {"operation": "query", "fields": []}}), {"exempt": ["developers"]}) == set()
}

test_other_tags_count_if_data_says_so if {
	{path | some entry in masks(request({}), {"tags": ["region"]}); some path in entry.paths} == {"$..city"}
}

test_sessions_and_other_protocols_have_no_masks if {
	masks(object.union(request({}), {"stage": "session"}), {}) == set()
	masks(object.union(request({}), {"resource": {"type": "postgresql"}}), {}) == set()
}

test_one_tag_in_the_place_of_a_list if {
	alone := {"Customer.ssn": {"tags": "pii"}}
	found := {column |
		some entry in personal_data.mask with input as request({"graphql": {"operation": "query", "fields": []}, "output": []})
			with data.catalog.fields as alone
			with data.personal_data as {"tags": "pii"}
			with data.http_personal_data as {}
		some column in entry.columns
	}
	found == {"Customer.ssn"}
}

test_nothing_without_a_catalog if {
	personal_data.mask == set() with input as request({}) with data.catalog as {}
}

test_nothing_is_asked_for_by_them if {
	refused({"query": {"ssn": ["1"]}}) == {"PERSONAL_FILTER"}
	refused({"query": {"filter[Customer.SSN]": ["1"]}}) == {"PERSONAL_FILTER"}
	refused({"params": {"email": "a"}}) == {"PERSONAL_FILTER"}
	refused({"operation": {"class": "read"}, "body": {"keys": ["where", "customer[email]"]}}) == {"PERSONAL_FILTER"}
	refused({"graphql": {"operation": "query", "fields": [{"arguments": {"where": [{"SSN": {"eq": 1}}]}}]}}) == {"PERSONAL_FILTER"}
}

test_they_may_be_written if {
	refused({"operation": {"class": "write"}, "body": {"keys": ["email"]}}) == set()
	refused({"graphql": {"operation": "mutation", "fields": [{"arguments": {"email": "a"}}]}}) == set()
	refused({"query": {"city": ["x"], "assn": ["1"]}}) == set()
}
