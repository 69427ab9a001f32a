package t.negation

out contains "nothing reads payments" if not reads_payments

reads_payments if {
	some e in input.sql.effects
	e.verb == "read"
	e.object.name == "payments"
}

out contains "no limit" if {
	some s in input.sql.statements
	not s.limit
}
