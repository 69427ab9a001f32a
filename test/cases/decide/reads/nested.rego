package t.nested

out contains [s.kind, f.name] if {
	some s in input.sql.statements
	some f in s.functions
	f.class == "user"
	some e in input.sql.effects
	e.statement == s.index
}
