# METADATA
# title: Records of the certification scenario
# description: >-
#   What the AuthZEN certification scenario asks of a policy (https://github.com/openid/authzen, certification/authorization-api-1_0-scenario.md,
#   "Required Policy Behaviour"), in our own words.
# scope: package
package policies.access.certification

import data.certification.records
import data.certification.subjects

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
	input.subject.id in subjects
	input.resource.type == "record"
	records[input.resource.id]
}

# What the question says counts; else what is known of the record.
status := object.get(input.resource.properties, "status", records[input.resource.id].status)
