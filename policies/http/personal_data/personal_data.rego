# METADATA
# title: Masking of personal data in answers of APIs
# description: |
#   Fields that a data document tags as personal are masked in the answers of APIs for everybody outside the exempt groups, and
#   nothing can be asked for by them: whoever may search by a masked value can find it out. In GraphQL they are masked by field,
#   under whatever alias; elsewhere by name, wherever it stands in the answer, and an answer that is not JSON is refused. Data
#   read, by the owner of the target:
#
#     catalog:
#       fields:
#         Customer.ssn: { tags: [pii] }                                     # redacted, the default
#         Customer.email: { tags: [pii], mask: { using: partial, keep: 4 } }
#     personal_data:
#       tags: [pii]                    # which tags count; [pii] where nothing is said
#       exempt: [privacy-officers]     # groups that see values; none where nothing is said
#     http_personal_data:
#       trust_descriptions: false      # true: where the description of an operation names fields of its answers, only those are masked
# scope: package
package policies.http.personal_data

mask contains {
	"code": "PERSONAL_DATA",
	"reason": concat("", [field, " is personal data and is masked for you."]),
	"columns": [field],
	"using": method(entry),
} if {
	concerned
	described
	some field, entry in personal
}

mask contains {
	"code": "PERSONAL_DATA",
	"reason": concat("", [field, " is personal data and is masked for you."]),
	"paths": [concat("", ["$..", last(field)])],
	"using": method(entry),
} if {
	concerned
	not described
	some field, entry in personal
}

deny contains {
	"code": "PERSONAL_FILTER",
	"reason": concat("", ["Nothing can be asked for by ", name, ", which is masked for you."]),
	"hint": "Ask by an identifier instead.",
} if {
	concerned
	some field, _ in personal
	name := lower(last(field))
	name in asked_by
}

concerned if {
	input.stage == "request"
	input.resource.type == "http"
	not exempt
}

exempt if {
	some group in input.subject.properties.groups
	group in data.personal_data.exempt
}

described if input.http.graphql

described if {
	data.http_personal_data.trust_descriptions == true
	count(input.http.output) > 0
}

personal[field] := entry if {
	some field, entry in data.catalog.fields
	some tag in listed(entry.tags)
	tag in listed(tags)
}

method(entry) := entry.mask if {
	entry.mask.using
} else := {"using": "redact"}

# Who wrote one tag instead of a list of one means that one.
listed(value) := value if {
	is_array(value)
} else := [value]

default tags := ["pii"]

tags := data.personal_data.tags

# `Customer.ssn` is `ssn` where it stands.
last(field) := name if {
	parts := split(field, ".")
	name := parts[count(parts) - 1]
}

# Names that values are given for where something is asked for: `ssn`, `filter[ssn]`, `customer.ssn`, an argument of GraphQL.
asked_by contains piece if {
	some name, _ in input.http.query
	some piece in pieces(name)
}

asked_by contains lower(name) if some name, _ in input.http.params

asked_by contains piece if {
	input.http.operation.class == "read"
	some key in input.http.body.keys
	some piece in pieces(key)
}

asked_by contains lower(step) if {
	input.http.graphql.operation != "mutation"
	some field in input.http.graphql.fields
	walk(field.arguments, [path, _])
	some step in path
	is_string(step)
}

pieces(name) := split(replace(replace(lower(name), "]", ""), "[", "."), ".")
