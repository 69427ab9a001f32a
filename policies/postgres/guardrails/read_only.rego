package policies.postgres.guardrails

deny contains {
	"code": "READ_ONLY_SESSION",
	"reason": "Your groups may only read from this target.",
	"hint": "Send SELECT without FOR UPDATE, or ask for membership in a group that may write.",
} if {
	read_only
	some statement in input.sql.statements
	writes(statement)
}

deny contains {
	"code": "READ_ONLY_SESSION",
	"reason": "A read-only session keeps its settings and its transactions read-only.",
	"hint": "Use BEGIN … COMMIT; SET TRANSACTION READ ONLY is allowed.",
} if {
	read_only
	leaves_read_only
}

# EXPLAIN without ANALYZE writes nothing.
writes(statement) if {
	not only_planned(statement)
	some effect in input.sql.effects
	effect.statement == statement.index
	not reading_verb(effect)
}

writes(statement) if not locks_nothing(statement)

writes(statement) if {
	some function in statement.functions
	function.name in sequence_functions
}

leaves_read_only if {
	some statement in input.sql.statements
	statement.kind in {"discard", "rollback_to"}
}

leaves_read_only if {
	some change in input.sql.session
	change.op != "set"
}

leaves_read_only if {
	some change in input.sql.session
	lower(change.name) in {"default_transaction_read_only", "transaction_read_only"}
	not switched_on(change)
}

reading_verb(effect) if effect.verb in {"execute", "read", "transaction"}

locks_nothing(statement) if statement.locking == false

switched_on(change) if lower(change.value) in truths
