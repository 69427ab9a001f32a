package policies.postgres.personal_data_test

import data.policies.postgres.personal_data

request(groups) := {
	"stage": "request",
	"subject": {"properties": {"groups": groups}},
	"resource": {"type": "postgresql"},
}

columns := {
	"public.people.email": {"tags": ["pii"], "mask": {"using": "partial", "keep": 4}},
	"public.people.phone": {"tags": ["contact", "pii"]},
	"public.people.city": {"tags": ["region"]},
	"public.people.name": {"tags": []},
}

masks(groups, settings) := {column: entry.using |
	some entry in personal_data.mask with input as request(groups)
		with data.catalog.columns as columns
		with data.personal_data as settings
	some column in entry.columns
}

test_tagged_columns_are_masked if {
	masks(["developers"], {}) == {"public.people.email": {"using": "partial", "keep": 4}, "public.people.phone": {"using": "redact"}}
}

test_exempt_groups_see_values if {
	masks(["developers", "privacy"], {"exempt": ["privacy"]}) == {}
	count(masks(["developers"], {"exempt": ["privacy"]})) == 2
}

test_other_tags_count_if_data_says_so if {
	masks(["developers"], {"tags": ["region"]}) == {"public.people.city": {"using": "redact"}}
}

test_nothing_without_a_catalog if {
	personal_data.mask == set() with input as request(["developers"]) with data.catalog as {}
}

test_sessions_have_no_masks if {
	opening := object.union(request(["developers"]), {"stage": "session"})
	personal_data.mask == set() with input as opening with data.catalog.columns as columns
}
