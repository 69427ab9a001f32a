package t.reuse

a contains x if {
	some i, s in input.sql.statements
	x := {"i": i, "k": s.kind, "fs": [f.class | some f in s.functions]}
}

b[k] contains v if {
	some entry in a
	k := entry.k
	v := entry.fs
}

out contains [k, v] if some k, v in b

out contains "u" if {
	u := {g | some g in input.subject.properties.groups} | {input.subject.type}
	count(u) > 2
}
