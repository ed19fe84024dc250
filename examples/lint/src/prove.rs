//! `--prove`: pairs are tried on a server, each on a database that is thrown away.

use migrate_pg::ErrorKind;
use migrate_pg::testing::Server;
use migrate_pg::verify::Pair;
use serde_json::{Value, json};
use tokio::runtime::Runtime;

/// A server to ask.
pub struct Prover {
    runtime: Runtime,
    server: Server,
}

impl Prover {
    /// The server of this URL, or one of its own, which goes with the value.
    pub fn new(url: Option<&str>) -> Result<Self, String> {
        let runtime = Runtime::new().map_err(|error| error.to_string())?;
        let server = runtime.block_on(async {
            match url {
                Some(url) => Server::at(url).await,
                None => Server::start().await,
            }
        });
        Ok(Self { server: server.map_err(|error| error.to_string())?, runtime })
    }

    /// What the server says of a pair. The version is the server's, whatever the line asks for.
    pub fn answer(&self, id: &Value, setup: Option<&str>, ups: &[&str], downs: &[&str]) -> Value {
        let pair = Pair::new(ups.iter().copied(), downs.iter().copied()).setup(setup.unwrap_or_default());
        let pg = self.server.major();
        match self.runtime.block_on(pair.prove(&self.server)) {
            Ok(proof) => {
                let verdict = if proof.reverses() { "reverses" } else { "differs" };
                let mut answer = json!({ "id": id, "pg": pg, "verdict": verdict, "differences": proof.differences });
                if !proof.notes.is_empty() {
                    answer["note"] = proof.notes.join("; ").into();
                }
                answer
            }
            Err(error) => {
                let code = match (error.kind(), error.sqlstate()) {
                    (ErrorKind::Statement, Some(sqlstate)) => sqlstate.to_owned(),
                    (_, Some(_)) => "setup".to_owned(),
                    (_, None) => "server".to_owned(),
                };
                json!({ "id": id, "pg": pg, "error": code, "message": error.to_string() })
            }
        }
    }
}

#[cfg(test)]
impl Prover {
    pub fn server(&self) -> &Server {
        &self.server
    }

    /// No database of a pair is there any more.
    pub fn assert_nothing_left(&self) {
        let left = self.runtime.block_on(async {
            let client = self.server.connect().await.unwrap();
            client
                .query_one("SELECT count(*) FROM pg_database WHERE datname LIKE 'migrate_test_%'", &[])
                .await
                .unwrap()
                .get::<_, i64>(0)
        });
        assert_eq!(left, 0);
    }
}
