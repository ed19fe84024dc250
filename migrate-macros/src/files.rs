//! SQL that stands in files: found relative to the manifest, read when the macro runs, and tracked, so that a change of
//! the file runs the macro again.

use proc_macro2::TokenStream;
use quote::quote;
use std::{cell::RefCell, collections::BTreeSet, fs, io, path::PathBuf};

/// The folder of the manifest, and which files were read from it.
pub(crate) struct Files {
    root: Option<PathBuf>,
    /// The source file that is being compiled, where known.
    source: Option<String>,
    read: RefCell<BTreeSet<String>>,
}

impl Files {
    pub(crate) fn new(root: Option<PathBuf>, source: Option<String>) -> Self {
        Self { root, source, read: RefCell::default() }
    }

    pub(crate) fn source(&self) -> Option<&str> {
        self.source.as_deref()
    }

    /// The file's text, or what is wrong with it.
    pub(crate) fn read(&self, path: &str) -> Result<String, String> {
        let root =
            self.root.as_ref().ok_or("CARGO_MANIFEST_DIR is not set, so there is no folder to look for files in")?;
        if path.starts_with('/') {
            return Err(format!(
                "`{path}` is an absolute path; files are named relative to the Cargo.toml of this crate"
            ));
        }
        let text = fs::read_to_string(root.join(path)).map_err(|error| match error.kind() {
            io::ErrorKind::NotFound => {
                format!("there is no file `{path}` in the folder of this crate's Cargo.toml; paths are relative to it")
            }
            io::ErrorKind::InvalidData => format!("the file `{path}` is not UTF-8"),
            _ => format!("the file `{path}` cannot be read: {error}"),
        })?;
        self.read.borrow_mut().insert(path.to_owned());
        Ok(text)
    }

    /// Items that make the compiler track every file that was read.
    pub(crate) fn tracked(&self) -> TokenStream {
        let read = self.read.borrow();
        let items = read.iter().map(|path| {
            let path = located(path);
            quote!(
                const _: &[u8] = ::core::include_bytes!(#path);
            )
        });
        items.collect()
    }
}

/// The path as an expression for `include_bytes!` and `include_str!`.
pub(crate) fn located(path: &str) -> TokenStream {
    let below = format!("/{path}");
    quote!(::core::concat!(::core::env!("CARGO_MANIFEST_DIR"), #below))
}
