//! Files that appear whole or not at all.

use std::fs::File;
use std::io::{self, BufReader, Read};
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};

use super::error::ArchiveError;

/// The name of a file while it is written.
pub(super) fn partial(folder: &Path, name: &str) -> PathBuf {
    folder.join(format!(".{name}.partial"))
}

/// An I/O error at a file.
pub(super) fn at(file: &Path) -> impl Fn(io::Error) -> ArchiveError {
    move |source| ArchiveError::Io { file: file.to_owned(), source }
}

/// Syncs the partial file and gives it its name. After this call the file is on the disk under its name.
pub(super) fn publish(folder: &Path, name: &str, written: &File) -> Result<(), ArchiveError> {
    let (partial, whole) = (partial(folder, name), folder.join(name));
    written.sync_all().map_err(at(&partial))?;
    std::fs::rename(&partial, &whole).map_err(at(&whole))?;
    File::open(folder).and_then(|folder| folder.sync_all()).map_err(at(folder))
}

/// The SHA-256 of a file.
pub(super) fn sha256(file: &Path) -> io::Result<[u8; 32]> {
    let mut reader = BufReader::with_capacity(1 << 20, File::open(file)?);
    let mut sha = Sha256::new();
    let mut block = vec![0; 1 << 16];
    loop {
        match reader.read(&mut block)? {
            0 => return Ok(sha.finalize().into()),
            length => sha.update(&block[..length]),
        }
    }
}
