# METADATA
# title: What nobody does here
package policies.postgresql.guardrails

allow contains {"code": "READ", "reason": "reading is allowed"} if {
	count(input.sql.effects) > 0
	every effect in input.sql.effects {
		effect.verb in {"read", "transaction"}
	}
	"app" in input.subject.properties.groups
}

allow contains {"code": "SESSION", "reason": "members of app may connect"} if {
	input.stage == "session"
	"app" in input.subject.properties.groups
}

deny contains {"code": "NO_WHERE", "reason": sprintf("%s on %s has no WHERE clause", [upper(statement.kind), effect.object.qualified])} if {
	some statement in input.sql.statements
	statement.kind in {"update", "delete"}
	statement.where in {"none", "constant"}
	some effect in input.sql.effects
	effect.statement == statement.index
	effect.verb == statement.kind
}

deny contains {"code": "DDL", "reason": "structures change by migration only"} if {
	some statement in input.sql.statements
	statement.class in {"ddl", "dcl", "admin"}
}

deny contains {"code": "FUNCTION", "reason": concat(" ", ["function", use.name, "is not allowed"])} if {
	some statement in input.sql.statements
	some use in statement.functions
	not use.class in {"pure", "catalog"}
}

deny contains {"code": "OPAQUE", "reason": entry.detail} if {
	some entry in input.sql.opaque
}
