//! TLS against a real server with a certificate of its own: every `sslmode`, with the right root, another root, and a
//! host that the certificate is not for.

mod support;

use migrate_pg::testing::Server;
use migrate_pg::{ErrorKind, Migrator};
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair};
use std::fs;
use std::net::TcpListener;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, chown};
use std::path::{Path, PathBuf};
use support::{create, history, migration, value};
use tokio_postgres::config::Host;

/// An authority, and a certificate that it signed for `localhost`.
struct Certificates {
    root: String,
    certificate: String,
    key: String,
}

fn certificates() -> Certificates {
    let mut authority = CertificateParams::default();
    authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    authority.distinguished_name.push(DnType::CommonName, "an authority of the tests");
    let authority = CertifiedIssuer::self_signed(authority, KeyPair::generate().unwrap()).unwrap();
    let key = KeyPair::generate().unwrap();
    let certificate = CertificateParams::new(["localhost".to_owned()]).unwrap().signed_by(&key, &authority).unwrap();
    Certificates { root: authority.pem(), certificate: certificate.pem(), key: key.serialize_pem() }
}

/// A server with a TCP port, which speaks TLS where it is given a certificate.
async fn server(certificates: Option<&Certificates>) -> (Server, u16, PathBuf) {
    // Somebody else may take a free port before the server does: then another one is tried.
    let mut tries = 0;
    let (server, port) = loop {
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        match Server::builder().tcp_port(port).start().await {
            Ok(server) => break (server, port),
            Err(error) if tries == 4 => panic!("{error}"),
            Err(_) => tries += 1,
        }
    };
    let Host::Unix(directory) = server.config().get_hosts()[0].clone() else { panic!("it has a socket") };
    if let Some(Certificates { certificate, key, .. }) = certificates {
        // The key has to be the server's own, and nobody else's (manual, 19.9.1).
        let owner = fs::metadata(directory.join("data")).unwrap();
        for (name, text) in [("server.crt", certificate), ("server.key", key)] {
            let file = directory.join("data").join(name);
            fs::write(&file, text).unwrap();
            fs::set_permissions(&file, fs::Permissions::from_mode(0o600)).unwrap();
            chown(&file, Some(owner.uid()), Some(owner.gid())).unwrap();
        }
        let client = server.connect().await.unwrap();
        client.batch_execute("ALTER SYSTEM SET ssl = on").await.unwrap();
        client.batch_execute("SELECT pg_reload_conf()").await.unwrap();
        let mut on = false;
        for _ in 0..500 {
            let client = server.connect().await.unwrap();
            on = value(&client, "SHOW ssl").await == "on";
            if on {
                break;
            }
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        }
        assert!(on, "{:?}", server.log());
    }
    (server, port, directory)
}

/// What a run over this connection string comes to: whether its session was encrypted, or its error.
async fn run(server: &Server, port: u16, host: &str, rest: &str) -> Result<String, (ErrorKind, String)> {
    let database = server.database().await.unwrap();
    let name = database.name();
    let seen = migration(1, "Seen")
        .step("CREATE TABLE seen AS SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()", "DROP TABLE seen");
    // Both forms of a connection string, one for each of two runs.
    let query = rest.replace(' ', "&").replace('/', "%2F");
    let url = format!("postgresql://postgres:hunter2@{host}:{port}/{name}?{query}");
    let pairs = format!("host={host} port={port} user=postgres password=hunter2 dbname={name} {rest}");
    let error = |error: migrate_pg::Error| {
        assert!(!format!("{error} {error:?}").contains("hunter2"), "{error}");
        (error.kind(), error.to_string())
    };
    Migrator::new(history([seen.clone()])).run(url.as_str()).await.map_err(error)?;
    Migrator::new(history([seen, create(2, "again")])).run(pairs.as_str()).await.map_err(error)?;
    Ok(value(&database.connect().await, "SELECT ssl FROM seen").await)
}

fn file(directory: &Path, name: &str, text: &str) -> String {
    let path = directory.join(name);
    fs::write(&path, text).unwrap();
    path.to_str().expect("the tests' directories are UTF-8").to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn every_sslmode_means_what_it_means_to_libpq() {
    let (ours, others) = (certificates(), certificates());
    let (server, port, directory) = server(Some(&ours)).await;
    let right = format!("sslrootcert={}", file(&directory, "right.pem", &ours.root));
    let wrong = format!("sslrootcert={}", file(&directory, "wrong.pem", &others.root));
    let (encrypted, plain) = (Ok("t".to_owned()), Ok("f".to_owned()));
    for (host, rest, expected) in [
        ("localhost", "sslmode=disable".to_owned(), Some(&plain)),
        ("localhost", "sslmode=prefer".to_owned(), Some(&encrypted)),
        ("localhost", String::new(), Some(&encrypted)),
        ("localhost", "sslmode=require".to_owned(), Some(&encrypted)),
        // The address is not in the certificate.
        ("127.0.0.1", "sslmode=require".to_owned(), Some(&encrypted)),
        ("127.0.0.1", format!("sslmode=require {right}"), Some(&encrypted)),
        ("127.0.0.1", format!("sslmode=require {wrong}"), None),
        ("127.0.0.1", format!("sslmode=verify-ca {right}"), Some(&encrypted)),
        ("localhost", format!("sslmode=verify-ca {wrong}"), None),
        ("localhost", format!("sslmode=verify-full {right}"), Some(&encrypted)),
        ("127.0.0.1", format!("sslmode=verify-full {right}"), None),
        ("localhost", format!("sslmode=verify-full {wrong}"), None),
        // The system's roots do not know the tests' authority.
        ("localhost", "sslmode=verify-full".to_owned(), None),
        ("localhost", "sslmode=verify-ca sslrootcert=system".to_owned(), None),
    ] {
        let found = run(&server, port, host, &rest).await;
        match expected {
            Some(expected) => assert_eq!(&found, expected, "{host} {rest}"),
            None => {
                let (kind, text) = found.expect_err(&format!("{host} {rest}"));
                assert_eq!(kind, ErrorKind::Connect, "{host} {rest}: {text}");
                let told = ["certificate", "UnknownIssuer", "NotValidForName"].iter().any(|word| text.contains(word));
                assert!(told, "the reason is named: {text}");
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_without_tls_is_refused_where_it_is_required() {
    let (server, port, directory) = server(None).await;
    let root = format!("sslrootcert={}", file(&directory, "root.pem", &certificates().root));
    for rest in ["sslmode=disable", "sslmode=prefer", ""] {
        assert_eq!(run(&server, port, "localhost", rest).await, Ok("f".to_owned()), "{rest}");
    }
    for rest in
        ["sslmode=require".to_owned(), format!("sslmode=verify-ca {root}"), format!("sslmode=verify-full {root}")]
    {
        let (kind, text) = run(&server, port, "localhost", &rest).await.expect_err(&rest);
        assert_eq!(kind, ErrorKind::Connect, "{text}");
        assert!(text.contains("TLS"), "{text}");
    }
}
