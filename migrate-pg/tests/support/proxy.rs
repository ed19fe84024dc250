//! A proxy that counts round trips. It passes on what the client sends at once, and hands back what the server answers
//! only when the client has been quiet for a moment: so everything that the client sends without waiting for an answer is
//! one trip, however the bytes are cut.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream, UnixStream};
use tokio_postgres::Config;
use tokio_postgres::config::Host;

/// For how long the client must be quiet.
const QUIET: Duration = Duration::from_millis(40);

pub struct Proxy {
    pub config: Config,
    trips: Arc<AtomicUsize>,
    bytes: Arc<AtomicUsize>,
}

impl Proxy {
    /// In front of the server of this configuration.
    pub async fn before(config: &Config) -> Self {
        let Host::Unix(directory) = &config.get_hosts()[0] else { panic!("the test server listens on a socket") };
        let socket: PathBuf =
            directory.join(format!(".s.PGSQL.{}", config.get_ports().first().copied().unwrap_or(5432)));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let (trips, bytes) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
        let counters = (trips.clone(), bytes.clone());
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let server = UnixStream::connect(&socket).await.unwrap();
                tokio::spawn(pump(client, server, counters.0.clone(), counters.1.clone()));
            }
        });
        let mut to_it = Config::new();
        to_it.host("127.0.0.1").port(port).ssl_mode(tokio_postgres::config::SslMode::Disable);
        to_it.user(config.get_user().unwrap()).dbname(config.get_dbname().unwrap());
        if let Some(password) = config.get_password() {
            to_it.password(password);
        }
        Self { config: to_it, trips, bytes }
    }

    /// The trips since this was last asked.
    pub fn trips(&self) -> usize {
        self.bytes.store(0, Ordering::SeqCst);
        self.trips.swap(0, Ordering::SeqCst)
    }
}

async fn pump(mut client: TcpStream, mut server: UnixStream, trips: Arc<AtomicUsize>, bytes: Arc<AtomicUsize>) {
    let (mut up, mut down) = (vec![0; 65536], vec![0; 65536]);
    let mut held: Vec<u8> = Vec::new();
    let mut asked = false;
    loop {
        tokio::select! {
            read = client.read(&mut up) => match read {
                Ok(0) | Err(_) => return,
                Ok(count) => {
                    // Terminate is the one message that has no answer.
                    if up[0] != b'X' {
                        asked = true;
                    }
                    bytes.fetch_add(count, Ordering::SeqCst);
                    if server.write_all(&up[..count]).await.is_err() { return }
                }
            },
            read = server.read(&mut down) => match read {
                Ok(0) | Err(_) => return,
                Ok(count) => held.extend_from_slice(&down[..count]),
            },
            () = tokio::time::sleep(QUIET), if !held.is_empty() => {
                if asked {
                    trips.fetch_add(1, Ordering::SeqCst);
                    asked = false;
                }
                if client.write_all(&held).await.is_err() { return }
                held.clear();
            }
        }
    }
}
