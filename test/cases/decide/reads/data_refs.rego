package t.data_refs

out contains column if {
	some e in input.sql.effects
	some column in data.masked[e.object.qualified]
}

out contains "limited" if input.sql.statements[0].limit > data.limits[input.resource.id]

rules.read contains "r" if input.subject.type == "user"

rules.write contains "w" if input.subject.type == "agent"

out contains x if some x in rules[input.sql.effects[0].verb]
