package policies.http.guardrails_test

import data.policies.http.guardrails

# What a member of the read-write group asks for, with facts put over those of reading an operation.
request(facts) := {
	"stage": "request",
	"action": {"name": "http.request"},
	"subject": {"properties": {"groups": ["developers"]}},
	"resource": {"type": "http", "properties": {"env": "test"}},
	"http": object.union(getting_an_order, facts),
}

getting_an_order := {
	"parsed": true,
	"operation": {"id": "getOrder", "class": "read"},
	"effects": [{"verb": "read"}],
	"opaque": [],
}

admins := {"admins": ["platform"]}

groups := {"read_write": ["developers"], "read_only": ["analysts"]}

codes(facts) := {refusal.code |
	some refusal in guardrails.deny with input as request(facts) with data.guardrails as groups with data.http_guardrails as admins
}

as_groups(facts, mine) := {refusal.code |
	asked := object.union(request(facts), {"subject": {"properties": {"groups": mine}}})
	some refusal in guardrails.deny with input as asked with data.guardrails as groups with data.http_guardrails as admins
}

test_member_may_connect if {
	asked := object.union(request({}), {"stage": "session"})
	count(guardrails.allow) == 1 with input as asked with data.guardrails as groups
	count(guardrails.deny) == 0 with input as asked with data.guardrails as groups
}

test_described_operations_are_allowed if {
	codes({}) == set()
	count(guardrails.allow) == 1 with input as request({}) with data.guardrails as groups
}

test_nobody_else if as_groups({}, ["strangers"]) == {"NOT_A_MEMBER"}

test_without_data_nobody if {
	"NOT_A_MEMBER" in {refusal.code | some refusal in guardrails.deny with input as request({}) with data.guardrails as {}}
}

test_other_protocols_are_not_judged_here if {
	asked := object.union(request({}), {"resource": {"type": "postgresql"}, "http": {"effects": []}})
	count(guardrails.deny) == 0 with input as asked with data.guardrails as {}
}

test_opaque if codes({"opaque": [{"code": "unsupported", "detail": "x"}]}) == {"NOT_UNDERSTOOD"}

test_not_parsed if "NOT_UNDERSTOOD" in codes({"parsed": false})

test_unknown_operation if {
	codes({"operation": null}) == {"UNKNOWN_OPERATION"}
	count(guardrails.allow) == 0 with input as request({"operation": null}) with data.guardrails as groups
}

test_undescribed_where_data_says_so if {
	asked := request({"operation": null})
	count(guardrails.deny) == 0 with input as asked with data.guardrails as groups with data.http_guardrails as {"undescribed": true}
	count(guardrails.allow) == 1 with input as asked with data.guardrails as groups with data.http_guardrails as {"undescribed": true}
}

test_admin_class if {
	admin := {"operation": {"id": "purge", "class": "admin"}, "effects": [{"verb": "delete"}]}
	codes(admin) == {"ADMIN_OPERATION"}
	as_groups(admin, ["developers", "platform"]) == set()
}

test_read_only if {
	write := {"operation": {"id": "createOrder", "class": "write"}, "effects": [{"verb": "insert"}]}
	as_groups(write, ["analysts"]) == {"READ_ONLY"}
	as_groups({}, ["analysts"]) == set()
	codes(write) == set()
}

test_upgrade if codes({"upgrade": "websocket"}) == {"PROTOCOL_SWITCH"}

test_graphql if {
	codes({"graphql": {"operation": "query", "depth": 3, "introspection": false}}) == set()
	strict := {"admins": ["platform"], "graphql_depth_max": 2}
	three_deep := request({"graphql": {"operation": "query", "depth": 3, "introspection": false}})
	found := {refusal.code |
		some refusal in guardrails.deny with input as three_deep with data.guardrails as groups with data.http_guardrails as strict
	}
	found == {"GRAPHQL_TOO_DEEP"}
	codes({"graphql": {"operation": "query", "depth": 11, "introspection": true}}) == {"GRAPHQL_TOO_DEEP", "GRAPHQL_INTROSPECTION"}
	codes({"graphql": {"operation": "subscription", "depth": 1, "introspection": false}}) == {"GRAPHQL_SUBSCRIPTION"}
}

restricted := {"refused": ["deleteOrder", "Mutation.deleteCustomer"], "protected_fields": ["Role"]}

writing := {
	"effects": [{"verb": "insert", "object": {"name": "createOrder", "qualified": "POST /orders"}}],
	"query": {},
	"body": {"keys": []},
}

writes(facts) := {refusal.code |
	some refusal in guardrails.deny with input as request(object.union(writing, facts))
		with data.guardrails as groups
		with data.http_guardrails as restricted
}

test_refused_operations if {
	writes({"effects": [{"verb": "delete", "object": {"name": "deleteOrder", "qualified": "DELETE /orders/{id}"}}]}) == {"REFUSED_OPERATION"}
	field := {"verb": "execute", "object": {"name": "deleteCustomer", "qualified": "Mutation.deleteCustomer"}}
	writes({"effects": [field]}) == {"REFUSED_OPERATION"}
	writes({"effects": [{"verb": "read", "object": {"name": "deleteCustomer", "qualified": "Query.deleteCustomer"}}]}) == set()
}

test_one_name_in_the_place_of_a_list if {
	alone := {"refused": "deleteOrder", "protected_fields": "role"}
	deleting := {"effects": [{"verb": "delete", "object": {"name": "deleteOrder", "qualified": "DELETE /orders/{id}"}}]}
	every facts in [deleting, {"body": {"keys": ["role"]}}] {
		found := {refusal.code |
			some refusal in guardrails.deny with input as request(object.union(writing, facts))
				with data.guardrails as groups
				with data.http_guardrails as alone
		}
		count(found) == 1
	}
}

test_a_depth_that_is_no_number_is_the_default if {
	deep := request({"graphql": {"operation": "query", "depth": 11, "introspection": false}})
	every odd in ["10", true, [10]] {
		found := {refusal.code |
			some refusal in guardrails.deny with input as deep
				with data.guardrails as groups
				with data.http_guardrails as {"graphql_depth_max": odd}
		}
		found == {"GRAPHQL_TOO_DEEP"}
	}
}

test_protected_fields if {
	writes({}) == set()
	writes({"body": {"keys": ["item", "user[role]"]}}) == {"PROTECTED_FIELD"}
	writes({"query": {"user.ROLE": ["admin"]}}) == {"PROTECTED_FIELD"}
	writes({"graphql": {"operation": "mutation", "fields": [{"arguments": {"input": [{"role": 1}]}}]}}) == {"PROTECTED_FIELD"}
	writes({"body": {"keys": ["roles", "roleplay"]}}) == set()
}

test_protected_fields_may_be_read if {
	writes({"effects": [{"verb": "read", "object": {"name": "find", "qualified": "GET /orders"}}], "query": {"role": ["admin"]}}) == set()
}

test_what_the_server_can_do if {
	asking := {"operation": null, "method": "OPTIONS", "path": "*"}
	codes(asking) == set()
	codes(object.union(asking, {"path": "/orders"})) == {"UNKNOWN_OPERATION"}
	codes(object.union(asking, {"method": "GET"})) == {"UNKNOWN_OPERATION"}
}
