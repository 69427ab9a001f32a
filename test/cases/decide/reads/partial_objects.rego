package t.partial_objects

by_kind[s.kind] := count(s.functions) if some s in input.sql.statements

out contains k if {
	some k, n in by_kind
	n > 1
}

groups[g] if some g in input.subject.properties.groups

out contains "dba" if groups.dba
