# METADATA
# description: |
#   The profile of SECURITY.md §2.1: GET /api/**, POST /api/orders, changes of users but not of their roles; nothing below /admin, no DELETE;
#   of GraphQL no deleteCustomer; personal data is masked wherever it may be.
package policies.corpus.http

allow contains {"code": "MEMBER", "reason": "Members of the group may connect."} if {
	input.stage == "session"
	input.action.name == "session.open"
	some group in input.subject.properties.groups
	group in data.http_profile.groups
}

allow contains {"code": "READ", "reason": "The API may be read."} if {
	input.resource.properties.labels.api == "shop"
	input.http.method in {"GET", "HEAD"}
	input.http.segments[0] == "api"
}

allow contains {"code": "ORDER", "reason": "Orders may be placed."} if {
	input.resource.properties.labels.api == "shop"
	input.http.method == "POST"
	input.http.operation.id == "createOrder"
}

allow contains {"code": "USER", "reason": "Users may be changed."} if input.http.operation.id == "updateUser"

allow contains {"code": "OPTIONS", "reason": "What a server can do may be asked."} if {
	input.resource.properties.labels.api == "shop"
	input.http.method == "OPTIONS"
	input.http.path == "*"
}

allow contains {"code": "GRAPHQL", "reason": "The graph may be read."} if input.http.graphql.operation in {"query", "subscription"}

deny contains {"code": "ADMIN", "reason": "Administration is not for the API's users."} if {
	some segment in input.http.segments
	lower(segment) == "admin"
}

deny contains {"code": "DELETION", "reason": "Nothing is deleted."} if {
	some effect in input.http.effects
	effect.verb == "delete"
}

deny contains {"code": "ROLE", "reason": "Roles are not changed."} if {
	input.http.method != "GET"
	some key in input.http.body.keys
	contains(key, "role")
}

deny contains {"code": "ROLE", "reason": "Roles are not changed."} if {
	input.http.method != "GET"
	some segment in input.http.segments
	lower(segment) == "role"
}

deny contains {"code": "GRAPHQL_MUTATION", "reason": concat("", [field.field, " is not allowed."])} if {
	some field in input.http.graphql.fields
	field.field == "deleteCustomer"
}

deny contains {"code": "INTROSPECTION", "reason": "The schema is not told."} if input.http.graphql.introspection

# What is asked for by a masked value tells that value.
deny contains {"code": "PERSONAL_FILTER", "reason": "Personal data cannot be asked by."} if {
	some field in input.http.graphql.fields
	walk(field.arguments, [path, _])
	some name in path
	lower(sprintf("%v", [name])) in data.http_profile.personal_names
}

deny contains {"code": "PERSONAL_FILTER", "reason": "Personal data cannot be asked by."} if {
	some name, _ in input.http.query
	lower(name) in data.http_profile.personal_names
}

deny contains {"code": "UPGRADE", "reason": "Only requests and answers are spoken here."} if input.http.upgrade

deny contains {"code": "OPAQUE", "reason": concat("", ["It is not all understood: ", entry.detail])} if some entry in input.http.opaque

# In the answers of the API they may stand anywhere.
mask contains {
	"code": "PERSONAL_DATA",
	"reason": "Personal data is masked.",
	"paths": [path | some name in data.http_profile.personal_names; path := concat("", ["$..", name])],
	"using": {"using": "redact"},
} if {
	input.action.name == "http.request"
	not input.http.graphql
}

# In those of the graph they stand where they were asked for.
mask contains {
	"code": "PERSONAL_DATA",
	"reason": "Personal data is masked.",
	"columns": data.http_profile.personal,
	"using": {"using": "redact"},
} if {
	input.http.graphql
}
