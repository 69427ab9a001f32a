package policies.org.transactions

deny contains {"code": "FAILED", "reason": "the transaction has failed"} if input.context.transaction == "failed"

obligation contains {"type": "row_limit", "max": limit} if {
	limit := object.get(data.limits, input.resource.id, 1000)
}

obligation contains {"type": "read_only"} if "readers" in input.subject.properties.groups
