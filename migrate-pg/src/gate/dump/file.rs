//! The file of a dump: under a temporary name until it is whole and on disk, readable by its owner alone, removed if it
//! never gets that far.

use crate::gate::{GateContext, GateError};
use sha2::{Digest, Sha256};
use std::fs::{self, File, OpenOptions};
use std::hash::{BuildHasher, RandomState};
use std::io::{self, Read};
use std::path::{Path, PathBuf};

/// A dump that is being made. Dropped before it is finished, it is removed.
pub(super) struct Partial {
    path: PathBuf,
    whole: PathBuf,
    finished: bool,
}

/// A dump that is on disk under its name.
pub(super) struct Saved {
    pub(super) path: PathBuf,
    pub(super) bytes: u64,
    pub(super) sha256: String,
}

/// `shop-202605011200-DropFullName-step1-up-20260501T120000.123456Z.dump`: names in letters that every file system takes.
pub(super) fn name(ctx: &GateContext<'_>, database: &str, stamp: &str) -> String {
    let plain =
        |text: &str| text.chars().map(|c| if c.is_alphanumeric() || c == '_' { c } else { '_' }).collect::<String>();
    let direction = ctx.direction.name();
    let (database, mut migration) = (plain(database), plain(ctx.migration));
    // File names end at 255 bytes.
    while migration.len() > 80 {
        migration.pop();
    }
    // Steps are counted from 1, as wherever they are told of.
    let step = ctx.step + 1;
    format!("{database}-{}-{migration}-step{step}-{direction}-{stamp}.dump", ctx.version)
}

/// Makes the directory where it is missing, and a file in it.
pub(super) async fn check_writable(directory: &Path) -> Result<(), GateError> {
    let chance = RandomState::new().hash_one(directory);
    let probe = Partial::create(directory, &format!("probe-{chance:016x}")).await?;
    drop(probe);
    Ok(())
}

impl Partial {
    pub(super) async fn create(directory: &Path, name: &str) -> Result<Self, GateError> {
        let directory = directory.to_owned();
        let name = name.to_owned();
        blocking(move || {
            let mut make = fs::DirBuilder::new();
            make.recursive(true);
            #[cfg(unix)]
            std::os::unix::fs::DirBuilderExt::mode(&mut make, 0o700);
            make.create(&directory).map_err(GateError::io("make the directory", &directory))?;
            let directory = directory.canonicalize().map_err(GateError::io("find the directory", &directory))?;
            let path = directory.join(format!(".{name}.partial"));
            let mut options = OpenOptions::new();
            options.write(true).create_new(true);
            #[cfg(unix)]
            std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
            options.open(&path).map_err(GateError::io("write the file", &path))?;
            Ok(Self { path, whole: directory.join(name), finished: false })
        })
        .await
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Flushes the file to disk, takes its size and digest, and gives it its name.
    pub(super) async fn finish(mut self) -> Result<Saved, GateError> {
        blocking(move || {
            let (bytes, sha256) = flush_and_digest(&self.path).map_err(GateError::io("read back", &self.path))?;
            if bytes == 0 {
                let empty = io::Error::new(io::ErrorKind::UnexpectedEof, "pg_dump wrote nothing");
                return Err(GateError::io("use the dump", &self.path)(empty));
            }
            fs::rename(&self.path, &self.whole).map_err(GateError::io("rename the dump to", &self.whole))?;
            self.finished = true;
            #[cfg(unix)]
            if let Some(directory) = self.whole.parent() {
                // Without it the name may be lost in a power failure, though the file is not (fsync(2)).
                let synced = File::open(directory).and_then(|directory| directory.sync_all());
                synced.map_err(GateError::io("flush the directory", directory))?;
            }
            Ok(Saved { path: self.whole.clone(), bytes, sha256 })
        })
        .await
    }
}

impl Drop for Partial {
    fn drop(&mut self) {
        if !self.finished
            && let Err(error) = fs::remove_file(&self.path)
        {
            tracing::warn!(path = %self.path.display(), %error, "an unfinished dump could not be removed");
        }
    }
}

fn flush_and_digest(path: &Path) -> io::Result<(u64, String)> {
    let mut file = File::open(path)?;
    file.sync_all()?;
    let mut digest = Sha256::new();
    let mut buffer = vec![0; 256 * 1024];
    let mut bytes = 0;
    loop {
        let read = file.read(&mut buffer)?;
        if read == 0 {
            break;
        }
        digest.update(&buffer[..read]);
        bytes += read as u64;
    }
    Ok((bytes, hex(&digest.finalize())))
}

/// Two digits a byte.
fn hex(bytes: &[u8]) -> String {
    let digit = |nibble: u8| char::from(b"0123456789abcdef"[usize::from(nibble)]);
    bytes.iter().flat_map(|byte| [digit(byte >> 4), digit(byte & 15)]).collect()
}

async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, GateError> + Send + 'static,
) -> Result<T, GateError> {
    match tokio::task::spawn_blocking(work).await {
        Ok(result) => result,
        Err(error) => match error.try_into_panic() {
            Ok(panic) => std::panic::resume_unwind(panic),
            Err(error) => Err(GateError::Refused {
                reason: "the runtime is shutting down".to_owned(),
                source: Some(Box::new(error)),
            }),
        },
    }
}
