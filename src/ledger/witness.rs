//! The witness file: the newest head of the chain that a process saw, kept outside the database, so that a restarted
//! process notices a log that went back while the process was down.

use std::fs::{self, File};
use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use tokio::sync::watch;
use tokio::task::spawn_blocking;
use tracing::error;

use crate::domain::fingerprint::{from_hex, hex};

use super::OpenError;
use super::batch::Head;

/// The file is written at most once in this time.
const PAUSE: Duration = Duration::from_secs(1);

/// The newest head that this process saw.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Remembered {
    pub(super) head: Head,
    /// The newest acceptance of a loss at that time.
    pub(super) acceptance: i64,
}

#[derive(Serialize, Deserialize)]
struct Content {
    seq: i64,
    hash: String,
    acceptance: i64,
}

/// The file of this process.
pub(super) struct Witness {
    file: Arc<PathBuf>,
    newest: watch::Sender<Option<Remembered>>,
}

impl Witness {
    /// Reads the file, if it exists, and starts the task that writes it.
    pub(super) fn open(file: PathBuf) -> Result<(Option<Remembered>, Self), OpenError> {
        let newest = checked(&file).map_err(OpenError::Witness)?;
        let sender = watch::Sender::new(newest);
        let file = Arc::new(file);
        tokio::spawn(follow(file.clone(), sender.subscribe()));
        Ok((newest, Self { file, newest: sender }))
    }

    pub(super) fn keep(&self, newest: Remembered) {
        self.newest.send_replace(Some(newest));
    }

    /// Writes the file now.
    pub(super) async fn flush(&self) {
        let newest = *self.newest.borrow();
        save(self.file.clone(), newest).await;
    }
}

async fn follow(file: Arc<PathBuf>, mut newest: watch::Receiver<Option<Remembered>>) {
    while newest.changed().await.is_ok() {
        let remembered = *newest.borrow_and_update();
        save(file.clone(), remembered).await;
        tokio::time::sleep(PAUSE).await;
    }
}

async fn save(file: Arc<PathBuf>, newest: Option<Remembered>) {
    let Some(newest) = newest else { return };
    let path = file.clone();
    let written = spawn_blocking(move || write(&path, newest)).await;
    if let Ok(Err(failed)) = written {
        error!(file = %file.display(), error = %failed, "can't write the witness file");
    }
}

/// Checks that the file, if it exists, can be read, and that it can be replaced.
///
/// # Errors
/// What is wrong and what to do, as the rest of a sentence that begins with the setting.
pub fn check(file: &Path) -> Result<(), String> {
    checked(file).map(|_| ())
}

fn checked(file: &Path) -> Result<Option<Remembered>, String> {
    let newest = read(file).map_err(|problem| {
        format!(
            "can't read {}: {problem}; restore the file, or move it away if `tunnelgate audit verify` with a kept checkpoint \
             finds the log whole",
            file.display()
        )
    })?;
    try_folder(file).map_err(|error| {
        format!(
            "can't write {}: {error}; without this file a log that went back is not noticed after a restart: name a file in a \
             folder that this user may write, or remove the setting",
            file.display()
        )
    })?;
    Ok(newest)
}

/// Writes and removes a file beside `file`. Its name is another one than [`write`] uses: a running process may use that now.
fn try_folder(file: &Path) -> std::io::Result<()> {
    let mut probe = file.as_os_str().to_owned();
    probe.push(format!(".probe-{}", std::process::id()));
    let mut written = File::create(&probe)?;
    let result = written.write_all(b"0").and_then(|()| written.sync_all());
    fs::remove_file(&probe)?;
    match result {
        // A full disk passes; the gateway runs without newer heads in the file until then, and says so.
        Err(error) if matches!(error.kind(), ErrorKind::StorageFull | ErrorKind::QuotaExceeded) => Ok(()),
        result => result,
    }
}

fn read(file: &Path) -> Result<Option<Remembered>, String> {
    let text = match fs::read_to_string(file) {
        Ok(text) => text,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(error.to_string()),
    };
    let content: Content = serde_json::from_str(&text).map_err(|error| error.to_string())?;
    let hash = from_hex(&content.hash).ok_or("`hash` must be 64 hex digits")?;
    Ok(Some(Remembered { head: Head { seq: content.seq, hash }, acceptance: content.acceptance }))
}

/// Replaces the file atomically. After a crash the file has either the old content or the new content.
fn write(file: &Path, newest: Remembered) -> std::io::Result<()> {
    let Remembered { head, acceptance } = newest;
    let content = Content { seq: head.seq, hash: hex(&head.hash), acceptance };
    let mut new = file.as_os_str().to_owned();
    new.push(".new");
    let mut written = File::create(&new)?;
    written.write_all(serde_json::to_string(&content)?.as_bytes())?;
    written.sync_all()?;
    fs::rename(&new, file)?;
    let folder = file.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    File::open(folder)?.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_file_keeps_the_newest_head_and_a_damaged_one_is_refused() {
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("witness");
        assert_eq!(read(&file), Ok(None));
        let newest = Remembered { head: Head { seq: 7, hash: [9; 32] }, acceptance: 2 };
        write(&file, newest).expect("written");
        assert_eq!(read(&file), Ok(Some(newest)));
        fs::write(&file, "{}").expect("written");
        assert!(read(&file).is_err());
        assert!(check(&file).is_err_and(|problem| problem.starts_with("can't read ")));
    }

    #[test]
    fn a_file_that_can_not_be_written_is_refused_and_the_check_leaves_nothing() {
        let folder = tempfile::tempdir().expect("a folder");
        assert_eq!(check(&folder.path().join("witness")), Ok(()));
        assert_eq!(fs::read_dir(folder.path()).expect("a folder").count(), 0);
        let refused = check(&folder.path().join("nowhere/witness")).expect_err("no folder");
        assert!(
            refused.contains("nowhere/witness: No such file") && refused.contains("remove the setting"),
            "{refused}"
        );
    }
}
