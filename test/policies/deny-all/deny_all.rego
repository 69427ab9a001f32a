# METADATA
# title: Deny every statement
# description: For the test of the corpus only. A gateway that lets nobody do anything evades nothing, and must fail all the same.
# scope: package
package policies.test.deny_all

allow contains {"code": "TEST", "reason": "Sessions may open."} if input.stage == "session"
