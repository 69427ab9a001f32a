package t.members

out contains "app" if "app" in input.subject.properties.groups

out contains "pair" if "team", "red" in input.resource.properties.labels

out contains "same" if input.subject.properties.login == input.subject.properties.on_behalf_of.login

out contains "typed" if is_array(input.sql.session)

out contains "long" if count(input.sql.session) > 1

out contains "keys" if "role" in object.keys(input.context.settings)

out contains "slice" if array.slice(input.sql.params, 0, 1) == [{"value": "1"}]
