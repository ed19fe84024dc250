//! A real PgBouncer before the test server, ended with the test whatever becomes of it.

use std::net::TcpListener;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;
use tokio_postgres::config::{Host, SslMode};
use tokio_postgres::{Config, NoTls};

/// Standard input is a pipe that closes when the test process ends: then it is over.
const UNTIL_CLOSED: &str = "\"$1\" \"$2\" & bouncer=$!; read -r _; kill \"$bouncer\"; wait \"$bouncer\"";

pub struct Bouncer {
    /// How to connect through it.
    pub config: Config,
    process: Child,
    directory: PathBuf,
}

/// Where it is installed.
pub fn program() -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let in_path = std::env::split_paths(&path).map(|directory| directory.join("pgbouncer"));
    // Not in the PATH of everybody on Debian.
    in_path.chain([PathBuf::from("/usr/sbin/pgbouncer")]).find(|program| program.is_file())
}

impl Bouncer {
    /// One that pools by `mode`, with three sessions of the server.
    pub async fn before(program: &Path, config: &Config, mode: &str) -> Self {
        let Host::Unix(socket) = &config.get_hosts()[0] else { panic!("the test server listens on a socket") };
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let directory = std::env::temp_dir().join(format!("migrate-bouncer-{}-{port}", std::process::id()));
        std::fs::create_dir(&directory).unwrap();
        std::fs::set_permissions(&directory, std::fs::Permissions::from_mode(0o755)).unwrap();
        let file = directory.join("pgbouncer.ini");
        let settings = format!(
            "[databases]\n* = host={} port={} user={}\n[pgbouncer]\nlisten_addr = 127.0.0.1\nlisten_port = {port}\n\
             unix_socket_dir =\nauth_type = any\npool_mode = {mode}\ndefault_pool_size = 3\n\
             ignore_startup_parameters = extra_float_digits\n",
            socket.display(),
            config.get_ports().first().copied().unwrap_or(5432),
            config.get_user().unwrap(),
        );
        std::fs::write(&file, settings).unwrap();
        let mut command = Command::new("/bin/sh");
        command.args(["-c", UNTIL_CLOSED, "bouncer"]).arg(program).arg(&file);
        command.stdin(Stdio::piped()).stdout(Stdio::null()).stderr(Stdio::null()).current_dir("/");
        // It does not run as root; and only the server's user comes to its socket.
        let owner = std::fs::metadata(socket).unwrap();
        if std::fs::metadata("/proc/self").is_ok_and(|own| own.uid() == 0) {
            command.uid(owner.uid()).gid(owner.gid());
        }
        let process = command.spawn().unwrap();
        let mut to_it = Config::new();
        to_it.host("127.0.0.1").port(port).ssl_mode(SslMode::Disable);
        to_it.user(config.get_user().unwrap()).dbname(config.get_dbname().unwrap());
        let bouncer = Self { config: to_it, process, directory };
        let mut last = None;
        for _ in 0..500 {
            match bouncer.config.connect(NoTls).await {
                Ok(_) => return bouncer,
                Err(error) => last = Some(error),
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        panic!("PgBouncer does not answer: {last:?}");
    }
}

impl Drop for Bouncer {
    fn drop(&mut self) {
        drop(self.process.stdin.take());
        self.process.wait().expect("the shell ends when its input does");
        std::fs::remove_dir_all(&self.directory).expect("the directory is ours");
    }
}
