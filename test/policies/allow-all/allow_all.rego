# METADATA
# title: Allow everything
# description: For the transparency tests only, which compare the gateway's bytes with the target's.
# scope: package
package policies.test.allow_all

allow contains {"code": "TEST", "reason": "Transparency tests allow everything."}
