package t.traps

numbers := {e.statement | some e in input.sql.effects}

# two values for one thing
one := name if {
	some e in input.sql.effects
	name := e.object.name
}

out contains one

out contains "deny" if input.sql.statements[0].kind == "drop"

# runs too long on demand: n³ comparisons
slow contains [a, b, c] if {
	some a in input.items
	some b in input.items
	some c in input.items
	a + b == c + 100000
}

# grows too large on demand
large := concat("", [x |
	some a in input.items
	some b in input.items
	x := sprintf("%s %s", [input.filler, format_int(a * b, 10)])
])

# a builtin error is undefined, so what asks does not fire
errors contains "division" if 1 / input.zero > 0

errors contains "regex" if regex.match("(", input.filler)

errors contains "ordered types" if "1" > 5

echo := input

# linear time: RE2 in the WASM
backtrack if regex.match(`^(a+)+$`, input.filler)

texts contains sprintf("%s|%d|%v|%v|%5.2f|%q|%x|%t|%%", [input.filler, 42, {"a": 1}, [1, "x"], 1.5, "q", 255, true])

texts contains sprintf("%d", [9007199254740993])

texts contains sprintf("%d %s", [1])
