package t.bodies

level(s) := "high" if s.class == "ddl"

else := "middle" if s.class == "write"

else := "low" if s.where == "keyed"

risk := level(input.sql.statements[0])

out contains risk

out contains "all" if every s in input.sql.statements {
	s.class in {"read", "session"}
}

mode := input.stage if input.action.name == "sql.execute"

mode := "prepare" if input.action.name == "sql.prepare"

out contains mode
