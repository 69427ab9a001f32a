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

stages[id] := {
	"quorum": max({stage.quorum | some stage in all}),
	"any_of": allowed(all, 0),
	"escalate": object.union({}, escalations(all)),
	"deny_quorum": min({object.get(stage, "deny_quorum", 1) | some stage in all}),
	"deny_after_s": {min(times) | times := {stage.deny_after_s | some stage in all}; count(times) > 0},
	"reason_required": true in {object.get(stage, "reason_required", false) | some stage in all},
	"acr": {stage.step_up.acr | some stage in all},
	"max_age_s": {min(ages) | ages := {stage.step_up.max_age_s | some stage in all}; count(ages) > 0},
} if some id, all in asked

# who may decide so long after a stage is asked: by one package …
who(stage, after_s) := {approver | some approver in stage.any_of} | {approver |
	some step in object.get(stage, "escalate", [])
	step.after_s <= after_s
	some approver in step.add
}

# … and by all of them, at that moment
allowed(all, after_s) := intersection({who(stage, after_s) | some stage in all})

times(all) := {step.after_s | some stage in all; some step in object.get(stage, "escalate", [])}

escalations(all) := {sprintf("%d", [after_s]): added |
	some after_s in times(all)
	before := max({0} | {time | some time in times(all); time < after_s})
	added := allowed(all, after_s) - allowed(all, before)
	count(added) > 0
}

impossible contains id if {
	some id, stage in stages
	count(stage.any_of) == 0
}

impossible contains id if {
	some id, stage in stages
	count(stage.acr) > 1
}

rows_max := {min(rows) | rows := {item.rows_max | some answer in live; some item in answer.require_approval}; count(rows) > 0}

answer := {
	"effect": effect,
	"limits": object.union({}, minimum),
	"masks": object.union({}, masks),
	"rows_max": rows_max,
	"stages": object.union({}, stages),
}
