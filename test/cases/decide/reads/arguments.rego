package t.arguments

out contains e.object.qualified if {
	some e in input.sql.effects
	writes(e)
}

writes(e) if e.verb == "update"

writes(e) if {
	e.verb == "delete"
	not harmless(e.object)
}

harmless(object) if startswith(object.qualified, "tmp.")
