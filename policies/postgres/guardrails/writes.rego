package policies.postgres.guardrails

# Rows are changed by name. A condition that is true for every row, compares a column with itself or with the same table, or is a
# range, is not a name.
deny contains {
	"code": "WRITE_WITHOUT_KEY",
	"reason": concat("", [changes[effect.verb], " on ", effect.object.qualified, " ", where_phrase(statement), "."]),
	"hint": "Compare a column with a value in WHERE, for example WHERE id = 42 or WHERE id = ANY('{1,2}').",
} if {
	some effect in changing
	statement := input.sql.statements[effect.statement]
	not only_planned(statement)
	not names_rows(statement)
}

# The same where the facts name a statement that is not in their list.
deny contains {
	"code": "WRITE_WITHOUT_KEY",
	"reason": concat("", [changes[effect.verb], " on ", effect.object.qualified, " has no known WHERE clause."]),
	"hint": "Compare a column with a value in WHERE, for example WHERE id = 42.",
} if {
	some effect in changing
	not input.sql.statements[effect.statement]
}

# A sequence has no rows: nextval() and setval() are judged as functions.
changing := [effect |
	count(verbs & {"delete", "update"}) > 0
	some effect in input.sql.effects
	effect.verb in {"delete", "update"}
	effect.object.kind != "other"
]

names_rows(statement) if statement.where in {"bound", "keyed"}

changes := {"delete": "DELETE", "update": "UPDATE"}

where_phrase(statement) := phrase if {
	phrase := where_phrases[statement.where]
} else := "has no known WHERE clause"

where_phrases := {
	"none": "has no WHERE clause",
	"constant": "has a WHERE clause that is the same for every row",
	"other": "has a WHERE clause that does not say which rows: no column of the table equals a value",
}
