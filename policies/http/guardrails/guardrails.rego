# METADATA
# title: Guardrails for HTTP
# description: |
#   What may be asked of an HTTP API, by class of operation, never by the name of one of yours: operations that its description
#   has, understood as a whole. Each refusal says what would be allowed. Data read:
#
#     guardrails:
#       read_write: [developers]        # groups that may read and write; none
#       read_only: [analysts]           # groups that may only read; none
#     http_guardrails:
#       admins: [platform]              # groups that may ask for operations of class admin; none
#       undescribed: false              # true: also what no description has; for APIs without one
#       graphql_depth_max: 10           # how deep a GraphQL operation may be nested
#       introspection: false            # true: the schema of a GraphQL API may be read
#       refused: [deleteOrder, Mutation.deleteCustomer]   # operations, and fields of GraphQL, that nobody may ask for; none
#       protected_fields: [role]        # members of bodies, parameters and arguments that nobody may write; none
# scope: package
package policies.http.guardrails

# Members of the listed groups may open a session; so that nobody else is, nothing else here allows one.
allow contains {"code": "MEMBER", "reason": "Members of this target's groups may connect."} if {
	input.stage == "session"
	over_http
	member
}

allow contains {"code": "DESCRIBED_OPERATION", "reason": "Operations of the API's description are allowed."} if {
	input.stage == "request"
	over_http
	member
	parsed
	known
}

deny contains {
	"code": "NOT_A_MEMBER",
	"reason": "Your groups have no access to this target.",
	"hint": "Ask the owner of the target for membership in one of its groups.",
} if {
	over_http
	not member
}

# What could not be read whole cannot be judged.
deny contains {
	"code": "NOT_UNDERSTOOD",
	"reason": concat("", ["Part of this request cannot be judged: ", opaque.detail, "."]),
	"hint": "Send JSON or a form, of a type that the operation takes.",
} if {
	some opaque in input.http.opaque
}

deny contains {
	"code": "NOT_UNDERSTOOD",
	"reason": "This request cannot be judged.",
	"hint": "Send a path in its canonical form, and a body of JSON or a form.",
} if {
	input.stage == "request"
	over_http
	not parsed
}

deny contains {
	"code": "UNKNOWN_OPERATION",
	"reason": "The API's description has no such operation.",
	"hint": "Method and path must be those of an operation of the description; capital letters and a slash at the end count.",
} if {
	input.stage == "request"
	over_http
	parsed
	not known
}

deny contains {
	"code": "ADMIN_OPERATION",
	"reason": concat("", ["The operation ", input.http.operation.id, " administers the API."]),
	"hint": "Ask the owner of the API, or for membership in one of the groups that may.",
} if {
	input.http.operation.class == "admin"
	not administers
}

deny contains {
	"code": "REFUSED_OPERATION",
	"reason": concat("", [effect.object.name, " is refused to everybody."]),
	"hint": "Ask the owner of the API.",
} if {
	some effect in input.http.effects
	some name in [effect.object.name, effect.object.qualified]
	name in refused
}

deny contains {
	"code": "PROTECTED_FIELD",
	"reason": concat("", ["The field ", field, " is not written through this gateway."]),
	"hint": "Leave it out, or ask the owner of the API.",
} if {
	over_http
	some verb in verbs
	verb != "read"
	some field in listed(data.http_guardrails.protected_fields)
	lower(field) in written
}

deny contains {
	"code": "READ_ONLY",
	"reason": concat("", ["You may only read here, and this would ", verb, " something."]),
	"hint": "Ask for operations that read.",
} if {
	over_http
	read_only
	some verb in verbs
	verb != "read"
}

deny contains {
	"code": "PROTOCOL_SWITCH",
	"reason": concat("", ["Switching to ", input.http.upgrade, " is not allowed: what is said there is not judged."]),
	"hint": "Use requests, or a stream of events.",
} if {
	input.http.upgrade
}

deny contains {
	"code": "GRAPHQL_TOO_DEEP",
	"reason": sprintf("The operation is nested %d deep; %d are allowed.", [input.http.graphql.depth, depth_max]),
	"hint": "Ask for less at a time.",
} if {
	input.http.graphql.depth > depth_max
}

deny contains {
	"code": "GRAPHQL_INTROSPECTION",
	"reason": "The schema of this API is not told.",
	"hint": "Read the description of the API where its owner publishes it.",
} if {
	input.http.graphql.introspection == true
	not introspection
}

deny contains {
	"code": "GRAPHQL_SUBSCRIPTION",
	"reason": "Subscriptions are not allowed.",
	"hint": "Ask again and again by a query.",
} if {
	input.http.graphql.operation == "subscription"
}

# `not f(x.y)` is undefined, and a denial silent, where x has no y; `not f(x)` is not. So every condition that a denial negates is a rule.
over_http if input.resource.type == "http"

parsed if input.http.parsed == true

known if input.http.operation.id

known if data.http_guardrails.undescribed == true

# What the server can do as such: no operation of the API.
known if {
	input.http.method == "OPTIONS"
	input.http.path == "*"
}

member if may_write

member if may_only_read

may_write if {
	some group in input.subject.properties.groups
	group in data.guardrails.read_write
}

may_only_read if {
	some group in input.subject.properties.groups
	group in data.guardrails.read_only
}

# Memberships add up; where nothing is known of a right to write, there is none.
read_only if not may_write

administers if {
	some group in input.subject.properties.groups
	group in data.http_guardrails.admins
}

refused contains name if some name in listed(data.http_guardrails.refused)

# Who wrote one name instead of a list of one means that one.
listed(value) := value if {
	is_array(value)
} else := [value]

introspection if data.http_guardrails.introspection == true

# What is no number is none.
default depth_max := 10

depth_max := data.http_guardrails.graphql_depth_max if is_number(data.http_guardrails.graphql_depth_max)

verbs contains effect.verb if some effect in input.http.effects

# Names that values are given for: members of bodies at any depth, `user[role]` and `user.role` of forms and queries, arguments of GraphQL.
written contains piece if {
	some key in input.http.body.keys
	some piece in pieces(key)
}

written contains piece if {
	some name, _ in input.http.query
	some piece in pieces(name)
}

written contains lower(step) if {
	some field in input.http.graphql.fields
	walk(field.arguments, [path, _])
	some step in path
	is_string(step)
}

pieces(name) := split(replace(replace(lower(name), "]", ""), "[", "."), ".")
