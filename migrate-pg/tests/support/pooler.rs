//! A proxy that pools transactions, as PgBouncer does in that mode: one client, two sessions of the server, and each
//! transaction goes to the next of them.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream, UnixStream};
use tokio_postgres::Config;
use tokio_postgres::config::Host;

/// Starts one, which begins to switch sessions after this many transactions.
pub async fn before(config: &Config, steady: usize) -> Config {
    let Host::Unix(directory) = &config.get_hosts()[0] else { panic!("the test server listens on a socket") };
    let socket: PathBuf = directory.join(format!(".s.PGSQL.{}", config.get_ports().first().copied().unwrap_or(5432)));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let transactions = Arc::new(AtomicUsize::new(0));
    tokio::spawn(async move {
        while let Ok((client, _)) = listener.accept().await {
            tokio::spawn(serve(client, socket.clone(), transactions.clone(), steady));
        }
    });
    let mut to_it = Config::new();
    to_it.host("127.0.0.1").port(port).ssl_mode(tokio_postgres::config::SslMode::Disable);
    to_it.user(config.get_user().unwrap()).dbname(config.get_dbname().unwrap());
    to_it
}

async fn serve(mut client: TcpStream, socket: PathBuf, transactions: Arc<AtomicUsize>, steady: usize) -> Option<()> {
    let length = client.read_u32().await.ok()?;
    let mut startup = length.to_be_bytes().to_vec();
    startup.resize(length as usize, 0);
    client.read_exact(&mut startup[4..]).await.ok()?;
    let mut sessions = Vec::new();
    for number in 0..2 {
        let mut session = UnixStream::connect(&socket).await.ok()?;
        session.write_all(&startup).await.ok()?;
        loop {
            let (kind, message) = read(&mut session).await?;
            if number == 0 {
                client.write_all(&message).await.ok()?;
            }
            if kind == b'Z' {
                break;
            }
        }
        sessions.push(session);
    }
    let mut at = 0;
    loop {
        let (kind, message) = read(&mut client).await?;
        if kind == b'X' {
            return None;
        }
        sessions[at].write_all(&message).await.ok()?;
        // Only these are answered up to ReadyForQuery.
        if !matches!(kind, b'Q' | b'S') {
            continue;
        }
        loop {
            let (kind, message) = read(&mut sessions[at]).await?;
            client.write_all(&message).await.ok()?;
            if kind == b'Z' {
                if message[5] == b'I' && transactions.fetch_add(1, Ordering::SeqCst) + 1 >= steady {
                    at = 1 - at;
                }
                break;
            }
        }
    }
}

async fn read(stream: &mut (impl tokio::io::AsyncRead + Unpin)) -> Option<(u8, Vec<u8>)> {
    let kind = stream.read_u8().await.ok()?;
    let length = stream.read_u32().await.ok()?;
    let mut message = vec![kind];
    message.extend(length.to_be_bytes());
    message.resize(length as usize + 1, 0);
    stream.read_exact(&mut message[5..]).await.ok()?;
    Some((kind, message))
}
