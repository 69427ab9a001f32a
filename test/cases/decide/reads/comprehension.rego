package t.comprehension

names := {e.object.name | some e in input.sql.effects; e.verb == "read"}

kinds := [s.kind | some s in input.sql.statements]

out contains n if some n in names

out contains "many" if count(kinds) > 2

out contains "sorted" if sort(kinds) == ["delete", "select"]
