# METADATA
# title: Guardrails for PostgreSQL
# description: |
#   What an application or a developer may send to a PostgreSQL target, by class of statement, function, catalog and setting, never
#   by the name of an object of yours. Nothing is allowed that is not listed here; each refusal says what would be allowed.
#   Data read: `data.guardrails` (see data.rego).
# scope: package
package policies.postgres.guardrails

# Members of the listed groups may open a session; so that nobody else is, nothing else here allows one.
allow contains {"code": "MEMBER", "reason": "Members of this target's groups may connect."} if {
	input.stage == "session"
	member
}

# Every statement is of a kind that applications send. What it does is judged by the denials.
allow contains {"code": "APPLICATION_STATEMENT", "reason": "Statements of this kind are allowed."} if {
	input.stage == "request"
	member
	parsed
	count(kinds - application_kinds) == 0
}

deny contains {
	"code": "NOT_A_MEMBER",
	"reason": "Your groups have no access to this target.",
	"hint": "Ask the owner of the target for membership in one of its groups.",
} if {
	input.resource.type == "postgresql"
	not member
}

# What could not be read from the text, whole, cannot be judged.
deny contains {
	"code": "NOT_UNDERSTOOD",
	"reason": concat("", ["Part of this statement cannot be judged: ", opaque.detail, "."]),
	"hint": "Write it as plain SQL with literal names, in one of the forms that PostgreSQL's manual shows.",
} if {
	some opaque in input.sql.opaque
}

deny contains {
	"code": "NOT_UNDERSTOOD",
	"reason": "This statement cannot be judged.",
	"hint": "Write it as plain SQL.",
} if {
	input.stage == "request"
	input.resource.type == "postgresql"
	not parsed
}

deny contains {"code": refusal.code, "reason": refusal.reason, "hint": refusal.hint} if {
	count(kinds - application_kinds) > 0
	some statement in input.sql.statements
	not application_kind(statement)
	refusal := kind_refusal(statement)
}

# What no application does, however it is spelled; a positive list, so that a new verb is refused.
deny contains {
	"code": "EFFECT_NOT_ALLOWED",
	"reason": concat("", ["This statement would ", verb_phrase(verb), "."]),
	"hint": "Read, insert, or update and delete rows that the WHERE clause names.",
} if {
	some verb in (verbs - application_verbs)
}

deny contains {
	"code": "COPY_ON_SERVER",
	"reason": "COPY with a file or program of the server is not allowed.",
	"hint": "Use COPY … TO STDOUT or COPY … FROM STDIN.",
} if {
	"copy" in kinds
	some statement in input.sql.statements
	statement.kind == "copy"
	not through_connection(statement)
}

# `not f(x.y)` is undefined, and a denial silent, where x has no y; `not f(x)` is not. So every condition that a denial negates is a rule.
parsed if input.sql.parsed == true

application_kind(statement) if statement.kind in application_kinds

through_connection(statement) if statement.copy.through == "stdio"

only_planned(statement) if statement.explain == "plan"
