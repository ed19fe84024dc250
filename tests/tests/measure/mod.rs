//! What a server does when it runs a statement: the locks that are held before the end of its transaction, the files that
//! are new, what was read and written, and what is gone. Shared by the test that compares the corpus with servers and by
//! the example that measures new cases.

use migrate_core::model::{LockClass, Work};
use migrate_pg::testing::{Binaries, Server, TestDatabase};
use std::collections::{BTreeMap, BTreeSet};
use tokio_postgres::{Client, SimpleQueryMessage};

/// A server with what cases expect to be there, and a database in which one case after another is set up.
pub struct Bench {
    /// The major version.
    pub pg: u16,
    /// The session that measures.
    pub client: Client,
    database: TestDatabase,
    schemas: Vec<String>,
    roles: Vec<String>,
    // Both live as long as the session does.
    _admin: Client,
    _server: Server,
}

const ROLES: [&str; 4] = ["app_rw", "app_ro", "app_owner", "app_leaver"];

impl Bench {
    pub async fn start(binaries: Binaries) -> Self {
        let pg = binaries.major();
        let server = Server::builder().binaries(binaries).start().await.expect("a server starts");
        let admin = server.connect().await.expect("a server answers");
        // Each on its own: CREATE TABLESPACE and CREATE DATABASE refuse company.
        admin.batch_execute("SET allow_in_place_tablespaces = on").await.expect("since 14.5");
        for name in ["ts_fast", "ts_spare"] {
            admin.batch_execute(&format!("CREATE TABLESPACE {name} LOCATION ''")).await.expect("tablespaces in place");
        }
        for name in ROLES {
            admin.batch_execute(&format!("CREATE ROLE {name}")).await.expect("roles");
        }
        let database = server.database().await.expect("a database");
        let client = database.connect().await;
        let schemas = column(&client, "SELECT nspname FROM pg_namespace").await;
        let roles = column(&client, "SELECT rolname FROM pg_roles").await;
        Self { pg, client, database, schemas, roles, _admin: admin, _server: server }
    }

    /// A second session, which watches the first.
    #[allow(dead_code)]
    pub async fn watcher(&self) -> Client {
        self.database.connect().await
    }

    /// The database as it was made: cases leave schemas, extensions, publications, wrappers, event triggers, roles.
    pub async fn clean(&self) {
        let client = &self.client;
        client.batch_execute("RESET SESSION AUTHORIZATION; RESET ALL").await.expect("the session is idle");
        for name in column(client, "SELECT subname FROM pg_subscription").await {
            let name = quoted(&name);
            let script = format!(
                "ALTER SUBSCRIPTION {name} DISABLE; ALTER SUBSCRIPTION {name} SET (slot_name = NONE); DROP SUBSCRIPTION {name}"
            );
            client.batch_execute(&script).await.unwrap_or_else(|error| panic!("{script}: {error:?}"));
        }
        let mut script = String::new();
        for (sql, what) in [
            ("SELECT evtname FROM pg_event_trigger", "EVENT TRIGGER"),
            ("SELECT pubname FROM pg_publication", "PUBLICATION"),
            ("SELECT extname FROM pg_extension WHERE extname <> 'plpgsql'", "EXTENSION"),
            ("SELECT fdwname FROM pg_foreign_data_wrapper", "FOREIGN DATA WRAPPER"),
            ("SELECT nspname FROM pg_namespace WHERE nspname !~ '^pg_' AND nspname <> 'information_schema'", "SCHEMA"),
        ] {
            for name in column(client, sql).await {
                if what != "SCHEMA" || name == "public" || !self.schemas.contains(&name) {
                    script.push_str(&format!("DROP {what} IF EXISTS {} CASCADE;", quoted(&name)));
                }
            }
        }
        for name in column(client, "SELECT rolname FROM pg_roles WHERE rolname !~ '^pg_'").await {
            if ROLES.contains(&name.as_str()) {
                script.push_str(&format!("DROP OWNED BY {} CASCADE;", quoted(&name)));
            } else if !self.roles.contains(&name) {
                script.push_str(&format!("DROP OWNED BY {0} CASCADE; DROP ROLE {0};", quoted(&name)));
            }
        }
        script.push_str("SELECT lo_unlink(oid) FROM pg_largeobject_metadata;");
        script.push_str("DEALLOCATE ALL; CREATE SCHEMA public; GRANT ALL ON SCHEMA public TO PUBLIC");
        client.batch_execute(&script).await.unwrap_or_else(|error| panic!("{script}: {error:?}"));
    }
}

fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

/// What one statement did, before its transaction ended.
#[derive(Debug)]
pub struct Measured {
    pub lock_class: LockClass,
    /// By table, partition and materialized view.
    pub locks: BTreeMap<String, LockClass>,
    /// A table or materialized view has another file.
    pub rewrites: bool,
    /// On a table that was there, an index is new or has another file.
    pub builds: bool,
}

#[derive(Debug, Clone)]
pub struct Known {
    pub name: String,
    pub kind: String,
    pub file: String,
    /// The table of an index.
    pub on: Option<String>,
}

/// User relations by OID: a dropped one is a bare OID in `pg_locks`.
pub type Relations = BTreeMap<String, Known>;

pub async fn rows(client: &Client, sql: &str) -> Vec<Vec<Option<String>>> {
    let messages = client.simple_query(sql).await.unwrap_or_else(|error| panic!("{sql}: {error:?}"));
    messages
        .into_iter()
        .filter_map(|message| match message {
            SimpleQueryMessage::Row(row) => {
                Some((0..row.len()).map(|column| row.get(column).map(str::to_owned)).collect())
            }
            _ => None,
        })
        .collect()
}

async fn column(client: &Client, sql: &str) -> Vec<String> {
    rows(client, sql).await.into_iter().filter_map(|mut row| row.remove(0)).collect()
}

pub async fn relations(client: &Client) -> Relations {
    let sql = "SELECT c.oid, n.nspname || '.' || c.relname, c.relkind::text, c.relfilenode::text, i.indrelid::text \
               FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace LEFT JOIN pg_index i ON i.indexrelid = c.oid \
               WHERE n.nspname !~ '^pg_(?!temp)' AND n.nspname <> 'information_schema'";
    rows(client, sql)
        .await
        .into_iter()
        .map(|row| {
            let text = |at: usize| row[at].clone().unwrap_or_default();
            (text(0), Known { name: text(1), kind: text(2), file: text(3), on: row[4].clone() })
        })
        .collect()
}

/// The strongest lock by OID that a backend holds on relations that were there.
pub async fn held(client: &Client, backend: &str, before: &Relations, locks: &mut BTreeMap<String, LockClass>) {
    let sql = format!(
        "SELECT relation::text, mode FROM pg_locks WHERE locktype = 'relation' AND granted AND pid = {backend} \
         AND database = (SELECT oid FROM pg_database WHERE datname = current_database())"
    );
    for row in rows(client, &sql).await {
        let (Some(oid), Some(mode)) = (&row[0], &row[1]) else { continue };
        if before.contains_key(oid) {
            let class =
                LockClass::ALL.iter().copied().find(|class| class.pg_locks_mode() == Some(mode)).expect("a mode");
            let entry = locks.entry(oid.clone()).or_insert(class);
            *entry = (*entry).max(class);
        }
    }
}

/// What was done to the relations that were there, given the locks on them.
pub async fn observed(client: &Client, before: &Relations, by_oid: &BTreeMap<String, LockClass>) -> Measured {
    let now = relations(client).await;
    let mut locks: BTreeMap<String, LockClass> = BTreeMap::new();
    for (oid, class) in by_oid {
        if matches!(before[oid].kind.as_str(), "r" | "p" | "m") {
            let entry = locks.entry(before[oid].name.clone()).or_insert(*class);
            *entry = (*entry).max(*class);
        }
    }
    let stored = |known: &Known| matches!(known.kind.as_str(), "r" | "m");
    let rewrites =
        before.iter().any(|(oid, known)| stored(known) && now.get(oid).is_some_and(|now| now.file != known.file));
    // An index that is made again under another OID, over the file that it had, was not built (`TryReuseIndex`).
    let files: BTreeSet<&str> = before.values().map(|known| known.file.as_str()).collect();
    let builds = now.values().any(|index| {
        index.kind == "i"
            && index.on.as_ref().is_some_and(|on| before.contains_key(on))
            && !files.contains(index.file.as_str())
    });
    Measured { lock_class: by_oid.values().copied().max().unwrap_or(LockClass::None), locks, rewrites, builds }
}

/// Scans and rows written by OID, of this session, as far as they are not yet reported.
pub async fn counters(client: &Client) -> BTreeMap<String, [i64; 2]> {
    let sql = "SELECT relid::text, seq_scan::text, (n_tup_ins + n_tup_upd + n_tup_del)::text \
               FROM pg_stat_xact_all_tables";
    let number = |text: &Option<String>| text.as_deref().and_then(|text| text.parse().ok()).unwrap_or(0);
    rows(client, sql)
        .await
        .into_iter()
        .map(|row| (row[0].clone().unwrap_or_default(), [number(&row[1]), number(&row[2])]))
        .collect()
}

/// Whether a relation that was there was scanned, and whether rows of one were written, since it was counted.
pub async fn touched(client: &Client, before: &Relations, counted: &BTreeMap<String, [i64; 2]>) -> (bool, bool) {
    let now = counters(client).await;
    let more = |at: usize| {
        now.iter().any(|(oid, counts)| {
            before.contains_key(oid) && counts[at] > counted.get(oid).map_or(0, |counts| counts[at])
        })
    };
    (more(0), more(1))
}

/// Columns and rows by table; partitions count with their parent.
#[allow(dead_code)]
pub async fn contents(client: &Client) -> (BTreeSet<String>, BTreeMap<String, u64>) {
    let columns = column(
        client,
        "SELECT a.attrelid || '.' || a.attnum FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid \
         JOIN pg_namespace n ON n.oid = c.relnamespace WHERE a.attnum > 0 AND NOT a.attisdropped \
         AND c.relkind IN ('r', 'p', 'm') AND n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'",
    )
    .await;
    let tables = rows(
        client,
        "SELECT c.oid::text, CASE c.relkind WHEN 'r' THEN 'ONLY ' ELSE '' END || c.oid::regclass::text FROM pg_class c \
         JOIN pg_namespace n ON n.oid = c.relnamespace WHERE c.relkind IN ('r', 'p') AND NOT c.relispartition \
         AND n.nspname !~ '^pg_' AND n.nspname <> 'information_schema' \
         AND NOT EXISTS (SELECT FROM pg_inherits i JOIN pg_foreign_table f ON f.ftrelid = i.inhrelid WHERE i.inhparent = c.oid)",
    )
    .await;
    let mut counts = BTreeMap::new();
    for table in tables {
        let (Some(oid), Some(name)) = (&table[0], &table[1]) else { continue };
        let count = rows(client, &format!("SELECT count(*)::text FROM {name}")).await;
        counts.insert(oid.clone(), count[0][0].as_deref().and_then(|count| count.parse().ok()).unwrap_or(0));
    }
    (columns.into_iter().collect(), counts)
}

/// The heaviest kind of work.
pub fn work(measured: &Measured, read: bool, written: bool, sql: &str) -> Work {
    let sql = sql.trim_start().to_ascii_lowercase();
    // TRUNCATE gives a table a new file and copies nothing; SET TABLESPACE copies an index and reads no table.
    let rewrites = measured.rewrites && !sql.starts_with("truncate");
    let builds = measured.builds && !sql.starts_with("alter index");
    match (rewrites, builds, written, read) {
        (true, ..) => Work::Rewrite,
        (_, true, ..) => Work::IndexBuild,
        (_, _, true, _) => Work::Rows,
        (_, _, _, true) => Work::Scan,
        _ => Work::Metadata,
    }
}
