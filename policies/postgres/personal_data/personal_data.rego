# METADATA
# title: Masking of personal data
# description: |
#   Columns that a data document tags as personal are masked for everybody outside the exempt groups, wherever a statement reads them.
#   Data read, both by the owner of the target:
#
#     catalog:
#       columns:
#         public.customers.email: { tags: [pii], mask: { using: partial, keep: 4 } }   # or mask: { using: redact }, the default
#     personal_data:
#       tags: [pii]                    # which tags count; [pii] where nothing is said
#       exempt: [privacy-officers]     # groups that see values; none where nothing is said
# scope: package
package policies.postgres.personal_data

# The same masks for every statement: which columns a statement reads is for the gateway to find out, so that no spelling avoids them.
mask contains {
	"code": "PERSONAL_DATA",
	"reason": concat("", [column, " is personal data and is masked for you."]),
	"columns": [column],
	"using": method(entry),
} if {
	input.stage == "request"
	input.resource.type == "postgresql"
	not exempt
	some column, entry in data.catalog.columns
	some tag in entry.tags
	tag in tags
}

exempt if {
	some group in input.subject.properties.groups
	group in data.personal_data.exempt
}

method(entry) := entry.mask if {
	entry.mask.using
} else := {"using": "redact"}

default tags := ["pii"]

tags := data.personal_data.tags
