package policies.org.breakglass

allow contains {"code": "BREAK_GLASS", "reason": "break glass"} if {
	input.resource.properties.labels["break-glass"] == "on"
	input.subject.properties.groups[_] == "oncall"
}
