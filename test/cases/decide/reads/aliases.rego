package t.aliases

out contains "alias" if {
	sql := input.sql
	effects := sql.effects
	first := effects[0]
	object := first.object
	object.name == "payments"
}

out contains "swap" if {
	pair := [input.subject.type, input.resource.type]
	pair[1] == "postgresql"
}
