package policies.postgres.guardrails

# What this pack reads of `data.guardrails`, and what holds where nothing is said:
#
#   guardrails:
#     read_write: [developers]              # groups that may read and write; none
#     read_only: [analysts]                 # groups that may only read; none
#     statement_timeout_ms_max: 300000      # the longest timeout that a session may ask for
#     application_names: [billing-api]      # names that sessions may take, beside those of well-known clients

member if may_write

member if may_only_read

may_write if {
	some group in input.subject.properties.groups
	group in data.guardrails.read_write
}

may_only_read if {
	some group in input.subject.properties.groups
	group in data.guardrails.read_only
}

# Memberships add up; where nothing is known of a right to write, there is none.
read_only if not may_write

default statement_timeout_ms_max := 300000

statement_timeout_ms_max := data.guardrails.statement_timeout_ms_max

default own_application_names := []

own_application_names := data.guardrails.application_names
