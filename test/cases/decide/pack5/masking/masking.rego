package policies.data.masking

mask contains {"code": "PERSONAL", "reason": "personal data", "columns": [column], "using": rule.using} if {
	not privileged
	some effect in input.sql.effects
	effect.verb == "read"
	some column, rule in data.catalog.masked[effect.object.qualified]
}

privileged if {
	some group in input.subject.properties.groups
	group in data.catalog.unmasked_for
}
