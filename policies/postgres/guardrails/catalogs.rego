package policies.postgres.guardrails

# PostgreSQL's own relations that drivers and tools read to learn names and types. All others may show secrets, values out of
# tables (statistics), what other sessions do, or code.
deny contains {
	"code": "SYSTEM_RELATION",
	"reason": concat("", ["Reading ", effect.object.qualified, " is not allowed."]),
	"hint": "Names and types can be read from information_schema, pg_class, pg_attribute, pg_type and pg_namespace.",
} if {
	some effect in on_system
	effect.verb in {"lock", "read"}
	not readable(effect.object)
}

# Of functions, roles and rules, what drivers and tools ask for; the rest may hold secrets. A column that is not on the list, `*`
# and a whole row are refused.
deny contains {
	"code": "SYSTEM_RELATION",
	"reason": concat("", ["Reading ", use.column, " is not allowed."]),
	"hint": concat("", ["Of ", relation, ", names and types can be read, column by column."]),
} if {
	some relation in {effect.object.qualified | some effect in on_system}
	columns := partly_readable[relation]
	some statement in input.sql.statements
	some use in statement.columns
	column_of(use, relation)
	not listed(use, relation, columns)
}

# A statement that reads them, but of which no column is known.
deny contains {
	"code": "SYSTEM_RELATION",
	"reason": concat("", ["Which columns of ", relation, " this reads is not known."]),
	"hint": "Write the columns with the name or alias of the table, as in p.proname.",
} if {
	some effect in on_system
	relation := effect.object.qualified
	partly_readable[relation]
	not names_columns(effect, relation)
}

deny contains {
	"code": "SYSTEM_RELATION",
	"reason": concat("", ["Changing ", effect.object.qualified, " is not allowed."]),
	"hint": "PostgreSQL's own relations cannot be changed here.",
} if {
	some effect in on_system
	effect.verb in {"delete", "insert", "update"}
}

# By schema, and by the prefix that PostgreSQL keeps for itself, wherever it stands.
on_system := [effect |
	some effect in input.sql.effects
	effect.object.kind in {"table", "view"}
	system_relation(effect.object)
]

system_relation(relation) if startswith(relation.name, "pg_")

system_relation(relation) if system_schema(relation.schema)

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

column_of(use, relation) if startswith(use.column, concat("", [relation, "."]))

listed(use, relation, columns) if trim_prefix(use.column, concat("", [relation, "."])) in columns

names_columns(effect, relation) if {
	some use in input.sql.statements[effect.statement].columns
	column_of(use, relation)
}

partly_readable := {
	"pg_catalog.pg_proc": {
		"oid", "proallargtypes", "proargmodes", "proargnames", "proargtypes", "proisstrict", "prokind", "prolang", "proname",
		"pronamespace", "pronargdefaults", "pronargs", "proowner", "proparallel", "prorettype", "proretset", "prosecdef",
		"provariadic", "provolatile",
	},
	"information_schema.routines": {
		"data_type", "external_language", "is_deterministic", "routine_catalog", "routine_name", "routine_schema", "routine_type",
		"security_type", "specific_catalog", "specific_name", "specific_schema", "type_udt_name", "type_udt_schema",
	},
	"pg_catalog.pg_rewrite": {"ev_class", "ev_enabled", "ev_type", "is_instead", "oid", "rulename"},
	"pg_catalog.pg_trigger": {
		"oid", "tgconstraint", "tgconstrindid", "tgconstrrelid", "tgdeferrable", "tgenabled", "tgfoid", "tgisinternal", "tgname",
		"tgparentid", "tgrelid", "tgtype", "tgattr", "tginitdeferred", "tgnargs",
	},
	"pg_catalog.pg_roles": {"oid", "rolbypassrls", "rolcanlogin", "rolinherit", "rolname", "rolreplication", "rolsuper"},
}

readable_information_schema := {
	"character_sets", "check_constraints", "collations", "column_domain_usage", "columns", "constraint_column_usage",
	"constraint_table_usage", "domain_constraints", "domains", "element_types", "enabled_roles", "information_schema_catalog_name",
	"key_column_usage", "referential_constraints", "schemata", "sequences", "table_constraints", "table_privileges", "tables",
	"column_privileges", "role_table_grants", "routines", "views",
}

readable_pg_catalog := {
	"pg_aggregate", "pg_am", "pg_amop", "pg_amproc", "pg_attrdef", "pg_attribute", "pg_cast", "pg_class",
	"pg_collation", "pg_constraint", "pg_conversion", "pg_database", "pg_depend", "pg_description", "pg_enum",
	"pg_extension", "pg_index", "pg_indexes", "pg_inherits", "pg_language", "pg_matviews", "pg_namespace", "pg_opclass",
	"pg_operator", "pg_opfamily", "pg_partitioned_table", "pg_policy", "pg_proc", "pg_publication",
	"pg_publication_namespace", "pg_publication_rel", "pg_range", "pg_rewrite", "pg_roles", "pg_sequence",
	"pg_sequences", "pg_shdescription", "pg_statistic_ext", "pg_tables", "pg_tablespace", "pg_trigger", "pg_type",
	"pg_views",
}
