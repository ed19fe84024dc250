//! What a fingerprint does not hold, each with its reason. A test holds this list, with what the queries say they cover,
//! against the catalogs of every version: a column that is on neither side fails it, and so does one that no version has.

/// Something of the system catalogs that is not part of a fingerprint.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Omission {
    /// The system catalog.
    pub catalog: &'static str,
    /// Its columns, separated by spaces; `*` for those that no query covers.
    pub columns: &'static str,
    /// Why.
    pub reason: &'static str,
}

const fn omission(catalog: &'static str, columns: &'static str, reason: &'static str) -> Omission {
    Omission { catalog, columns, reason }
}

const NUMBER: &str =
    "an object's number says nothing of the schema, and differs between two databases that are the same";
const DATA: &str = "about rows, not about the schema";
const CLUSTER: &str = "belongs to all databases of the server, not to this one";
const DERIVED: &str = "follows from what the fingerprint holds";

/// All that a fingerprint leaves out.
pub const OMISSIONS: &[Omission] = &[
    omission("pg_am", "oid", NUMBER),
    omission("pg_amop", "oid", NUMBER),
    omission("pg_amproc", "oid", NUMBER),
    omission("pg_attrdef", "oid", NUMBER),
    omission("pg_attribute", "attlen attbyval attalign", "copied from the type of the column"),
    omission("pg_attribute", "attcacheoff", "used in memory only"),
    omission(
        "pg_attribute",
        "attndims",
        "the number of dimensions as it was written: PostgreSQL does not enforce it, and pg_dump does not keep it",
    ),
    omission(
        "pg_attribute",
        "atthasmissing attmissingval",
        "the value that rows from before ADD COLUMN have, until a rewrite stores it: data",
    ),
    omission("pg_auth_members", "*", CLUSTER),
    omission("pg_authid", "*", CLUSTER),
    omission("pg_cast", "oid", NUMBER),
    omission("pg_class", "oid reltype relfilenode", NUMBER),
    omission("pg_class", "relpages reltuples relallvisible relallfrozen relfrozenxid relminmxid", DATA),
    omission("pg_class", "relhasindex relhasrules relhastriggers relhassubclass relnatts relchecks", DERIVED),
    omission("pg_class", "relisshared", "never of what users make"),
    omission("pg_class", "relrewrite", "set only inside the statement that rewrites"),
    omission("pg_collation", "oid", NUMBER),
    omission(
        "pg_collation",
        "collversion",
        "the version of the operating system's library when the collation was made: it says when indexes need REINDEX, and differs between machines",
    ),
    omission("pg_constraint", "oid", NUMBER),
    omission("pg_constraint", "connamespace", "the schema of its table or domain"),
    omission(
        "pg_constraint",
        "conpfeqop conppeqop conffeqop",
        "follow from the types of the columns and the index that a foreign key relies on",
    ),
    omission("pg_conversion", "oid", NUMBER),
    omission("pg_database", "oid datfrozenxid datminmxid", NUMBER),
    omission("pg_database", "datlastsysoid", NUMBER),
    omission("pg_database", "datname", "the same schema is compared between databases of different names"),
    omission("pg_database", "datcollversion", "the version of the operating system's library, as for collations"),
    omission("pg_database", "dathasloginevt", DERIVED),
    omission("pg_default_acl", "oid", NUMBER),
    omission("pg_enum", "oid", NUMBER),
    omission("pg_event_trigger", "oid", NUMBER),
    omission("pg_extension", "oid", NUMBER),
    omission("pg_foreign_data_wrapper", "oid", NUMBER),
    omission("pg_foreign_server", "oid", NUMBER),
    omission("pg_index", "indcheckxmin", "whether old transactions may use the index yet"),
    omission("pg_index", "indisexclusion", "the definition of its constraint says so"),
    omission("pg_init_privs", "privtype", "who granted an extension's privileges first, initdb or the extension"),
    omission("pg_language", "oid", NUMBER),
    omission("pg_largeobject", "*", DATA),
    omission(
        "pg_largeobject_metadata",
        "*",
        "a large object is data, and so are its owner and privileges: pg_dump --schema-only leaves them out",
    ),
    omission("pg_namespace", "oid", NUMBER),
    omission("pg_opclass", "oid", NUMBER),
    omission("pg_operator", "oid", NUMBER),
    omission("pg_opfamily", "oid", NUMBER),
    omission("pg_parameter_acl", "*", CLUSTER),
    omission("pg_partitioned_table", "partdefid", "the bound of the partition says DEFAULT"),
    omission("pg_policy", "oid", NUMBER),
    omission("pg_proc", "oid", NUMBER),
    omission("pg_publication", "oid", NUMBER),
    omission("pg_publication_namespace", "oid", NUMBER),
    omission("pg_publication_rel", "oid", NUMBER),
    omission("pg_replication_origin", "*", CLUSTER),
    omission("pg_rewrite", "oid", NUMBER),
    omission("pg_shdepend", "*", "which roles objects depend on: their owners and privileges say so"),
    omission("pg_shdescription", "*", CLUSTER),
    omission("pg_shseclabel", "*", CLUSTER),
    omission("pg_statistic", "*", DATA),
    omission("pg_statistic_ext", "oid", NUMBER),
    omission("pg_statistic_ext_data", "*", DATA),
    omission("pg_subscription", "oid", NUMBER),
    omission("pg_subscription", "subskiplsn", "where replication stands: the next transaction to skip"),
    omission("pg_subscription_rel", "*", "where replication stands, table by table"),
    omission("pg_tablespace", "oid spcowner spcacl spcoptions", CLUSTER),
    omission("pg_transform", "oid", NUMBER),
    omission("pg_trigger", "oid", NUMBER),
    omission("pg_trigger", "tgconstrindid", "of a constraint's own triggers: the index that the constraint relies on"),
    omission("pg_ts_config", "oid", NUMBER),
    omission("pg_ts_dict", "oid", NUMBER),
    omission("pg_ts_parser", "oid", NUMBER),
    omission("pg_ts_template", "oid", NUMBER),
    omission("pg_type", "oid typarray", NUMBER),
    omission("pg_type", "typndims", "of a domain over an array: not enforced, as for columns"),
    omission("pg_user_mapping", "oid", NUMBER),
];
