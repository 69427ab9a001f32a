package t.unions

merged := object.union(input.context.settings, {"role": "app"})

out contains merged.role

out contains merged.search_path

out contains object.get(input, ["resource", "properties", "env"], "none")

out contains object.get(input.resource.properties.labels, "tier", "no tier")

rest := object.remove(input.resource.properties.labels, ["tier"])

out contains count(rest)
