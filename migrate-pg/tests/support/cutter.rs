//! A proxy that counts the messages of the protocol, of both directions together, and cuts the connection instead of passing
//! a chosen one on: client and server each find the other gone. Or it keeps a message to itself, and the connection up: to
//! the server, the client is frozen.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::{TcpListener, UnixStream};
use tokio_postgres::Config;
use tokio_postgres::config::Host;

pub struct Cutter {
    /// How to connect through it.
    pub config: Config,
    state: Arc<State>,
}

struct State {
    seen: AtomicUsize,
    /// The message that is not passed on, counted from 0.
    at: usize,
    /// Or, while the server is there, the first message of a client that holds this text.
    keep: Option<String>,
    /// Or the first message of a client that holds this text says something else there, which no server understands.
    spoil: Option<String>,
    /// And then only behind a message that holds this one.
    behind: String,
    armed: AtomicBool,
    cut: AtomicBool,
}

impl Cutter {
    /// One before this database.
    pub async fn before(config: &Config, at: usize) -> Self {
        Self::made(config, at, None, "", None).await
    }

    /// One before this database that keeps the first message which holds this text, behind one that holds the other.
    #[allow(dead_code, reason = "not every test freezes")]
    pub async fn keeping(config: &Config, behind: &str, text: &str) -> Self {
        Self::made(config, usize::MAX, Some(text.to_owned()), behind, None).await
    }

    /// One before this database that has the server refuse the first message which holds this text, and no other.
    #[allow(dead_code, reason = "not every test spoils")]
    pub async fn spoiling(config: &Config, text: &str) -> Self {
        Self::made(config, usize::MAX, None, "", Some(text.to_owned())).await
    }

    async fn made(config: &Config, at: usize, keep: Option<String>, behind: &str, spoil: Option<String>) -> Self {
        let Host::Unix(directory) = &config.get_hosts()[0] else { panic!("the test server listens on a socket") };
        let socket: PathBuf =
            directory.join(format!(".s.PGSQL.{}", config.get_ports().first().copied().unwrap_or(5432)));
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let (seen, armed, cut) = (AtomicUsize::new(0), AtomicBool::new(false), AtomicBool::new(false));
        let state = Arc::new(State { seen, at, keep, spoil, behind: behind.to_owned(), armed, cut });
        let shared = state.clone();
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let Ok(server) = UnixStream::connect(&socket).await else { return };
                let state = shared.clone();
                tokio::spawn(async move {
                    let ((from_client, to_client), (from_server, to_server)) =
                        (client.into_split(), server.into_split());
                    // Whichever direction ends first takes the other with it, and both sockets are closed.
                    tokio::select! {
                        _ = pass(from_client, to_server, &state, true) => {}
                        _ = pass(from_server, to_client, &state, false) => {}
                    }
                });
            }
        });
        let mut to_it = Config::new();
        to_it.host("127.0.0.1").port(port).ssl_mode(tokio_postgres::config::SslMode::Disable);
        to_it.user(config.get_user().unwrap()).dbname(config.get_dbname().unwrap());
        Self { config: to_it, state }
    }

    /// The messages so far.
    pub fn seen(&self) -> usize {
        self.state.seen.load(Ordering::SeqCst)
    }

    /// Whether it has cut.
    pub fn has_cut(&self) -> bool {
        self.state.cut.load(Ordering::SeqCst)
    }
}

async fn pass(
    mut from: impl AsyncRead + Unpin,
    mut to: impl AsyncWrite + Unpin,
    state: &State,
    mut startup: bool,
) -> std::io::Result<()> {
    let from_client = startup;
    loop {
        // The first message of a client has no type (manual, "Message Formats", `StartupMessage`).
        let mut message = if startup { Vec::new() } else { vec![from.read_u8().await?] };
        startup = false;
        let length = from.read_u32().await?;
        message.extend(length.to_be_bytes());
        let body = message.len();
        message.resize(body + length as usize - 4, 0);
        from.read_exact(&mut message[body..]).await?;
        if state.seen.fetch_add(1, Ordering::SeqCst) == state.at {
            state.cut.store(true, Ordering::SeqCst);
            return Ok(());
        }
        let holds = |text: &str| text.is_empty() || message.windows(text.len()).any(|part| part == text.as_bytes());
        if let Some(text) = state.keep.as_deref().filter(|_| from_client) {
            if state.armed.load(Ordering::SeqCst) && holds(text) && !state.cut.swap(true, Ordering::SeqCst) {
                std::future::pending::<()>().await;
            }
            if holds(&state.behind) {
                state.armed.store(true, Ordering::SeqCst);
            }
        }
        if let Some(text) = state.spoil.as_deref().filter(|_| from_client) {
            let place = message.windows(text.len()).position(|part| part == text.as_bytes());
            if let Some(place) = place.filter(|_| !state.cut.swap(true, Ordering::SeqCst)) {
                // A string's end is part of the message.
                message[place..place + text.len()].iter_mut().filter(|byte| **byte != 0).for_each(|byte| *byte = b'?');
            }
        }
        to.write_all(&message).await?;
    }
}
