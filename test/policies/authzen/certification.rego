# METADATA
# title: Records of the certification scenario
# description: >-
#   What the AuthZEN certification scenario asks of a policy ("Required Policy Behaviour"), in our own words:
#   https://github.com/openid/authzen, certification/authorization-api-1_0-scenario.md
# scope: package
package policies.access.certification

allow contains {"code": "READER", "reason": "Known people read records."} if {
	known
	input.action.name == "read"
}

allow contains {"code": "WRITER", "reason": "Alice writes records that are not archived."} if {
	input.subject.id == "alice"
	known
	input.action.name == "write"
	status != "archived"
}

allow contains {"code": "ADMIN", "reason": "Administrators write records, archived ones too."} if {
	known
	input.action.name == "write"
	input.subject.properties.role == "admin"
	status == "archived"
}

allow contains {"code": "SOFT_DELETE", "reason": "Alice may delete what can be brought back."} if {
	input.subject.id == "alice"
	known
	input.action.name == "delete"
	input.action.properties.soft == true
}

known if {
	input.subject.type == "user"
	input.subject.id in data.certification.subjects
	input.resource.type == "record"
	data.certification.records[input.resource.id]
}

# What the question says counts; else what is known of the record.
status := object.get(input.resource.properties, "status", data.certification.records[input.resource.id].status)
