package t.walking

out contains path if {
	walk(input.context.settings, [path, "secret"])
}
