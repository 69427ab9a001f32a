package t.dynamic_key

out contains v if {
	some k in ["team", "tier"]
	v := input.resource.properties.labels[k]
}

out contains "own" if {
	key := input.subject.properties.login
	input.resource.properties.labels[key] == "yes"
}
