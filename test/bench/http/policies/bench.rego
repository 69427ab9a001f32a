# What is measured: an allowed request, and one whose answer is masked.
package policies.bench.http

allow contains {"code": "MEMBER", "reason": "Members may connect."} if {
	input.action.name == "session.open"
	"app" in input.subject.properties.groups
}

allow contains {"code": "READ", "reason": "The API may be read."} if input.http.method == "GET"

deny contains {"code": "OPAQUE", "reason": "It is not all understood."} if some _ in input.http.opaque

mask contains {
	"code": "PERSONAL_DATA",
	"reason": "Personal data is masked.",
	"paths": ["$.ssn", "$.items[*].ssn"],
	"using": {"using": "redact"},
} if {
	input.http.segments[0] == "masked"
}
