package policies.postgres.guardrails

# PostgreSQL's own relations that drivers and tools read to learn names and types. All others may show secrets, values out of
# tables (statistics), what other sessions do, or code.
deny contains {
	"code": "SYSTEM_RELATION",
	"reason": concat("", ["Reading ", effect.object.qualified, " is not allowed."]),
	"hint": "Names and types can be read from information_schema, pg_class, pg_attribute, pg_type and pg_namespace.",
} if {
	some effect in input.sql.effects
	effect.verb in {"lock", "read"}
	system_relation(effect.object)
	not readable(effect.object)
}

deny contains {
	"code": "SYSTEM_RELATION",
	"reason": concat("", ["Changing ", effect.object.qualified, " is not allowed."]),
	"hint": "PostgreSQL's own relations cannot be changed here.",
} if {
	some effect in input.sql.effects
	effect.verb in {"delete", "insert", "update"}
	system_relation(effect.object)
}

# By schema, and by the prefix that PostgreSQL keeps for itself, wherever it stands.
system_relation(relation) if {
	relation.kind in {"table", "view"}
	system_schema(relation.schema)
}

system_relation(relation) if {
	relation.kind in {"table", "view"}
	startswith(relation.name, "pg_")
}

system_schema("information_schema")

system_schema(schema) if startswith(schema, "pg_")

readable(relation) if {
	relation.schema == "information_schema"
	relation.name in readable_information_schema
}

readable(relation) if {
	relation.schema == "pg_catalog"
	relation.name in readable_pg_catalog
}

readable_information_schema := {
	"character_sets", "check_constraints", "collations", "column_domain_usage", "columns", "constraint_column_usage",
	"constraint_table_usage", "domain_constraints", "domains", "element_types", "enabled_roles", "information_schema_catalog_name",
	"key_column_usage", "referential_constraints", "schemata", "sequences", "table_constraints", "table_privileges", "tables",
	"column_privileges",
}

readable_pg_catalog := {
	"pg_aggregate", "pg_am", "pg_amop", "pg_amproc", "pg_attrdef", "pg_attribute", "pg_cast", "pg_class", "pg_collation",
	"pg_constraint", "pg_conversion", "pg_database", "pg_depend", "pg_description", "pg_enum", "pg_extension", "pg_index",
	"pg_inherits", "pg_language", "pg_namespace", "pg_opclass", "pg_operator", "pg_opfamily", "pg_partitioned_table", "pg_range",
	"pg_sequence", "pg_sequences", "pg_shdescription", "pg_tables", "pg_tablespace", "pg_type",
}
