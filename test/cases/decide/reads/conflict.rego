package t.conflict

one := e.object.name if some e in input.sql.effects

out contains one
