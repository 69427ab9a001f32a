package t.with_input

verdict := "ok" if input.subject.type == "user"

verdict := "agent" if {
	input.subject.type == "agent"
	input.context.client.tls
}

out contains verdict

out contains "as a user" if {
	verdict == "ok" with input.subject.type as input.sql.effects[0].verb
}

out contains "whole" if {
	verdict == "agent" with input as {"subject": {"type": input.stage}, "context": input.context}
}
