# The combiner of engine/decide/combine.ts said again, as its oracle: effect, codes, stages and obligations from what packages answered.
package combine

live := [answer | some answer in input.answers; not answer.shadow]

items(set) := {[answer.policy, item.code] | some answer in live; some item in answer[set]}

default effect := "deny"

effect := "deny" if denied

else := "require_approval" if count(items("require_approval")) > 0

else := "mask" if {
	count(items("allow")) > 0
	count(items("mask")) > 0
}

else := "allow" if count(items("allow")) > 0

denied if count(items("deny")) > 0

denied if count(unsupported) > 0

denied if {
	count(items("require_approval")) > 0
	count(impossible) > 0
}

needed contains "mask" if {
	some answer in live
	some item in answer.mask
	count(object.get(item, "columns", [])) > 0
}

needed contains item.type if {
	some answer in live
	some item in answer.obligation
}

unsupported := needed - {name | some name in input.supported}

limits[item.type] contains item.max if {
	some answer in live
	some item in answer.obligation
	item.max
}

minimum[type] := min(values) if some type, values in limits

strictness := ["null", "redact", "partial", "hash", "tokenize", "bucket"]

rank[column] contains i if {
	some answer in live
	some item in answer.mask
	some column in item.columns
	some i, using in strictness
	using == item.using
}

masks[column] := strictness[min(ranks)] if some column, ranks in rank

asked[stage.id] contains stage if {
	some answer in live
	some item in answer.require_approval
	some stage in item.stages
}

stages[id] := {"quorum": max({stage.quorum | some stage in all}), "any_of": approvers(all)} if some id, all in asked

approvers(all) := intersection({{approver | some approver in stage.any_of} | some stage in all})

impossible contains id if {
	some id, stage in stages
	count(stage.any_of) == 0
}

answer := {
	"effect": effect,
	"limits": object.union({}, minimum),
	"masks": object.union({}, masks),
	"stages": object.union({}, stages),
}
