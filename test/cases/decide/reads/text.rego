package t.text

out contains sprintf("%s on %v by %s", [e.verb, e.object, input.subject.id]) if {
	some e in input.sql.effects
	e.confidence != "resolved"
}

out contains concat("/", [input.resource.id, lower(input.resource.properties.env)])

out contains "match" if regex.match(`^pay`, input.sql.effects[_].object.name)
