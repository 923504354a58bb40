//! The PostgreSQL server of a test run: the one that `TUNNELGATE_TEST_POSTGRES` names, or a throw-away server of this
//! process.

use std::io::Write;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Command, Stdio};

use sqlx::{Connection, PgConnection};
use tokio::sync::OnceCell;
use tunnelgate::chance::{Chance, SystemChance};
use tunnelgate::domain::fingerprint::hex;

const VARIABLE: &str = "TUNNELGATE_TEST_POSTGRES";
const SCRIPT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/scripts/postgres");

/// The URL of the server; one that answers.
pub async fn server() -> &'static str {
    static SERVER: OnceCell<String> = OnceCell::const_new();
    let url = SERVER.get_or_init(async || {
        let (url, origin) = match std::env::var(VARIABLE) {
            Ok(url) => (url, VARIABLE),
            Err(_) => (throw_away(), SCRIPT),
        };
        if let Err(error) = PgConnection::connect(&url).await {
            give_up(&format!("The PostgreSQL server of {origin}, {url}, does not answer: {error}"));
        }
        url
    });
    url.await
}

/// Random hexadecimal digits.
pub fn digits() -> String {
    let mut random = [0; 8];
    SystemChance.fill(&mut random);
    hex(&random)
}

/// Starts a server that ends with this process, however the process ends.
fn throw_away() -> String {
    let folder = std::env::temp_dir().join(format!("tunnelgate-postgres-{}", digits()));
    let folder = folder.to_str().expect("a folder in UTF-8");
    // `cat` ends when this process, which has the other end of the pipe, does. The process group of its own
    // keeps Ctrl-C from ending the shell before the server.
    let keeper = Command::new("sh")
        .args(["-c", "cat; exec \"$0\" stop \"$1\"", SCRIPT, folder])
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .process_group(0)
        .spawn()
        .expect("a shell");
    // Dropping it would close the pipe.
    std::mem::forget(keeper);
    // Each test creates a database, which takes a second where it has to reach the disk.
    start(Path::new(folder), &["fsync=off", "full_page_writes=off"])
}

/// Starts a server in a folder that another user can enter; returns the server's URL.
pub fn start(folder: &Path, settings: &[&str]) -> String {
    let folder = folder.to_str().expect("a folder in UTF-8");
    match script(&[&["start", folder], settings].concat()) {
        Ok(url) => url,
        Err(error) => give_up(&format!(
            "These tests start a PostgreSQL server of their own, and it did not start:\n{error}\n\
             {VARIABLE}=postgres://USER@HOST:PORT/postgres names a running server instead; most tests need no \
             other.\nThe tests on SQLite need no server: cargo test on_sqlite"
        )),
    }
}

/// Runs `scripts/postgres`; returns its output, or its error messages.
pub fn script(args: &[&str]) -> Result<String, String> {
    let output = Command::new(SCRIPT).args(args).output().expect("the script runs");
    let text = |bytes| String::from_utf8_lossy(bytes).trim().to_owned();
    if output.status.success() { Ok(text(&output.stdout)) } else { Err(text(&output.stderr)) }
}

/// Ends the test run: every other test would fail for the same reason.
fn give_up(why: &str) -> ! {
    // The test framework keeps the output of `eprintln!` until the end of the test.
    let _ = writeln!(std::io::stderr().lock(), "\n{why}\n");
    std::process::exit(1);
}
