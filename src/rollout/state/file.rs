//! The state file: mode 0600, replaced as a whole, and on the disk before anything that relies on it is sent. One process
//! at a time uses it.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{Read, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use secrecy::zeroize::Zeroizing;
use serde::Deserialize;

use crate::failpoint;

use super::{Entry, State, VERSION};

/// The largest state file, in bytes.
const MAX_STATE: u64 = 64 * 1024 * 1024;
/// Opening again after another process replaced the file.
const ATTEMPTS: u32 = 5;

/// Why the state can't be kept.
#[derive(Debug, thiserror::Error)]
pub enum StateError {
    #[error("can't write the state file {}", path.display())]
    Write { path: PathBuf, source: std::io::Error },
    #[error("can't read the state file {}", path.display())]
    Read { path: PathBuf, source: std::io::Error },
    #[error(
        "{0:?} exists: it is the state of an earlier rollout. Go on with --resume, roll back with --rollback, or name \
         another file with --state"
    )]
    Exists(PathBuf),
    #[error("another process works on {0:?}")]
    InUse(PathBuf),
    #[error("{} is not a state file of this version: {problem}", path.display())]
    Invalid { path: PathBuf, problem: String },
    #[error("the task that writes the state file ended early")]
    Aborted(#[from] tokio::task::JoinError),
}

/// The state, in memory and on disk.
#[derive(Debug)]
pub struct Store {
    path: PathBuf,
    current: Mutex<Current>,
    /// The file with its lock, and the number of the change that it contains last.
    saved: tokio::sync::Mutex<Saved>,
}

#[derive(Debug)]
struct Current {
    state: State,
    /// The number of changes.
    changes: u64,
}

#[derive(Debug)]
struct Saved {
    /// Locked as long as it is open.
    file: File,
    changes: u64,
}

impl Store {
    /// Creates the file.
    ///
    /// # Errors
    /// If it exists, or can't be written.
    pub fn create(path: &Path, state: State) -> Result<Self, StateError> {
        let write = |source: std::io::Error| StateError::Write { path: path.to_owned(), source };
        if std::fs::symlink_metadata(path).is_ok() {
            return Err(StateError::Exists(path.to_owned()));
        }
        let file = replace(path, &text(&state, path)?, true).map_err(write)?;
        Ok(Self::of(path, state, file))
    }

    /// Opens the file of an interrupted rollout.
    ///
    /// # Errors
    /// If the file can't be read, is not a state file, or another process has it open.
    pub fn open(path: &Path) -> Result<Self, StateError> {
        let file = lock(path)?;
        let state = read(&file, path)?;
        Ok(Self::of(path, state, file))
    }

    fn of(path: &Path, state: State, file: File) -> Self {
        Self {
            path: path.to_owned(),
            current: Mutex::new(Current { state, changes: 0 }),
            saved: tokio::sync::Mutex::new(Saved { file, changes: 0 }),
        }
    }

    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Looks at the state.
    pub fn look<T>(&self, look: impl FnOnce(&State) -> T) -> T {
        look(&self.current.lock().unwrap_or_else(PoisonError::into_inner).state)
    }

    /// A copy of a tunnel's entry.
    #[must_use]
    pub fn entry(&self, index: usize) -> Option<Entry> {
        self.look(|state| state.tunnels.get(index).cloned())
    }

    /// Changes a tunnel's entry; returns once the change is on the disk. Changes that come together are written together.
    ///
    /// # Errors
    /// If the file can't be written.
    pub async fn change(&self, index: usize, change: impl FnOnce(&mut Entry)) -> Result<(), StateError> {
        self.update(|state| {
            if let Some(entry) = state.tunnels.get_mut(index) {
                change(entry);
            }
        })
        .await
    }

    /// Changes the state; returns once the change is on the disk.
    ///
    /// # Errors
    /// If the file can't be written.
    pub async fn update(&self, change: impl FnOnce(&mut State)) -> Result<(), StateError> {
        let wanted = {
            let mut current = self.current.lock().unwrap_or_else(PoisonError::into_inner);
            change(&mut current.state);
            current.changes += 1;
            current.changes
        };
        failpoint::at!("rollout.state-changed");
        let mut saved = self.saved.lock().await;
        if saved.changes >= wanted {
            return Ok(());
        }
        let (text, changes) = {
            let current = self.current.lock().unwrap_or_else(PoisonError::into_inner);
            (text(&current.state, &self.path)?, current.changes)
        };
        let path = self.path.clone();
        let written = tokio::task::spawn_blocking(move || replace(&path, &text, false)).await?;
        saved.file = written.map_err(|source| StateError::Write { path: self.path.clone(), source })?;
        saved.changes = changes;
        failpoint::at!("rollout.state-written");
        Ok(())
    }
}

/// The text of the file. A buffer that grows would leave parts of keys behind, so it has its size from the beginning.
fn text(state: &State, path: &Path) -> Result<Zeroizing<Vec<u8>>, StateError> {
    let invalid =
        |error: serde_json::Error| StateError::Invalid { path: path.to_owned(), problem: error.to_string() };
    let mut counted = Counter(0);
    serde_json::to_writer_pretty(&mut counted, state).map_err(invalid)?;
    let mut text = Zeroizing::new(Vec::with_capacity(counted.0 + 1));
    serde_json::to_writer_pretty(&mut *text, state).map_err(invalid)?;
    text.push(b'\n');
    Ok(text)
}

/// The version of a state file.
#[derive(Deserialize)]
struct Versioned {
    version: u32,
}

/// Counts bytes.
struct Counter(usize);

impl Write for Counter {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0 += bytes.len();
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// Writes a new file beside the path, locks it, and renames it to the path. The file and its name are on the disk
/// afterwards. A new path must not exist yet.
fn replace(path: &Path, text: &[u8], is_new: bool) -> std::io::Result<File> {
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push(".new");
    let beside = path.with_file_name(name);
    // Left over by a process that was killed.
    match std::fs::remove_file(&beside) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let mut file = OpenOptions::new().write(true).read(true).create_new(true).mode(0o600).open(&beside)?;
    file.write_all(text)?;
    file.sync_all()?;
    file.try_lock().map_err(std::io::Error::from)?;
    if is_new {
        // Unlike a rename, a link fails if the path exists.
        std::fs::hard_link(&beside, path)?;
        std::fs::remove_file(&beside)?;
    } else {
        std::fs::rename(&beside, path)?;
    }
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    File::open(folder)?.sync_all()?;
    Ok(file)
}

/// Opens the file and locks it.
fn lock(path: &Path) -> Result<File, StateError> {
    let fault = |source: std::io::Error| StateError::Read { path: path.to_owned(), source };
    for _ in 0..ATTEMPTS {
        let file = File::open(path).map_err(fault)?;
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(StateError::InUse(path.to_owned())),
            Err(TryLockError::Error(error)) => return Err(fault(error)),
        }
        // Another process may have replaced the file between the two.
        let (ours, named) = (file.metadata().map_err(fault)?, std::fs::metadata(path).map_err(fault)?);
        if (ours.dev(), ours.ino()) == (named.dev(), named.ino()) {
            return Ok(file);
        }
    }
    Err(StateError::InUse(path.to_owned()))
}

fn read(file: &File, path: &Path) -> Result<State, StateError> {
    let fault = |source: std::io::Error| StateError::Read { path: path.to_owned(), source };
    let invalid = |problem: String| StateError::Invalid { path: path.to_owned(), problem };
    let length = file.metadata().map_err(fault)?.len();
    if length > MAX_STATE {
        return Err(invalid("it is too large".into()));
    }
    let mut text = Zeroizing::new(Vec::with_capacity(usize::try_from(length).unwrap_or_default() + 1));
    let mut file = file;
    file.read_to_end(&mut text).map_err(fault)?;
    // Another version may have other members.
    if let Ok(Versioned { version }) = serde_json::from_slice(&text)
        && version != VERSION
    {
        return Err(invalid(format!("it has version {version}")));
    }
    // serde_json's messages name positions and members; a value that is none of ours could be a key.
    let state: State = serde_json::from_slice(&text)
        .map_err(|error| invalid(format!("line {}, column {}", error.line(), error.column())))?;
    if state.tunnels.iter().any(|entry| entry.path().is_none()) {
        return Err(invalid("an id is not valid".into()));
    }
    Ok(state)
}
