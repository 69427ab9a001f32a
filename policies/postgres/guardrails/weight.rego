package policies.postgres.guardrails

# A literal that asks one call for more rows or bytes than a client can want; what is not a literal may be any number.
deny contains {
	"code": "TOO_MUCH_GENERATED",
	"reason": concat("", ["The call of ", function.name, " may make more rows or bytes than the limit."]),
	"hint": "Write the bounds as literals, within the limit of this target.",
} if {
	some statement in input.sql.statements
	some function in statement.functions
	function.makes
	not within_generated_max(function)
}

deny contains {
	"code": "UNBOUNDED_RECURSION",
	"reason": "WITH RECURSIVE has an arm that nothing ends.",
	"hint": "End the recursion in WHERE, for example WHERE n < 100, or join a table on a key.",
} if {
	some statement in input.sql.statements
	statement.recursion == "unbounded"
}

deny contains {
	"code": "CROSS_JOIN",
	"reason": "Whole tables are multiplied with each other: there is no condition between them.",
	"hint": "Join tables ON a condition.",
} if {
	some statement in input.sql.statements
	statement.cross_joins > cross_joins_max
}

within_generated_max(function) if {
	is_number(function.makes)
	function.makes <= generated_max
}
