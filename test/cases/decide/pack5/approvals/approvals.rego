package policies.postgresql.approvals

writes := [effect | some effect in input.sql.effects; effect.verb in {"insert", "update", "delete"}]

require_approval contains {
	"code": "PRODUCTION_WRITE",
	"reason": "writes in production need a second person",
	"stages": [{"id": "owner", "order": 1, "any_of": [{"group": "dba"}], "quorum": 1}],
} if {
	input.resource.properties.env == "production"
	count(writes) > 0
}

allow contains {"code": "WRITE", "reason": "writes outside production"} if {
	input.resource.properties.env != "production"
	count(writes) > 0
}
