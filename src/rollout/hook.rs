//! The commands that run before and after the change of a tunnel. They get the ids in the environment and the new key on
//! standard input only: the environment and the arguments of a process are visible to others.

use std::io::{Read, Write};
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process_group};
use secrecy::zeroize::Zeroizing;
use tokio::sync::oneshot;
use tokio::time::{sleep, timeout};
use uuid::Uuid;

use crate::domain::ids::TunnelPath;
use crate::domain::secret::PreSharedKey;
use crate::domain::text::is_plain_character;

/// How much of a command's output is shown, in characters: the end of it.
const MAX_OUTPUT: usize = 600;
/// How long output is read after the end of the command: its children may keep the pipe open.
const LAST_OUTPUT: Duration = Duration::from_millis(500);
/// First and longest time between two looks whether a command has ended.
const FIRST_LOOK: Duration = Duration::from_millis(2);
const LONGEST_LOOK: Duration = Duration::from_millis(50);

/// The commands and their time limit.
#[derive(Debug, Clone)]
pub struct Hooks {
    pub before: Option<String>,
    pub after: Option<String>,
    pub limit: Duration,
}

/// What a command is told.
pub(super) struct Told<'a> {
    pub(super) path: &'a TunnelPath,
    /// The operation of the change; `None` before it is sent.
    pub(super) operation_id: Option<Uuid>,
    pub(super) rollback_of: Option<Uuid>,
    pub(super) key: Option<&'a PreSharedKey>,
}

/// Runs a command in a shell.
///
/// # Errors
/// Why it counts as failed: it can't be started, does not end in time, or ends with another status than 0. With the end of
/// its output, in which the key is masked.
pub(super) async fn run(command: &str, told: &Told<'_>, limit: Duration) -> Result<(), String> {
    let mut child = Started(start(command, told).map_err(|error| format!("can't be started: {error}"))?);
    let outputs = [collect(child.0.stdout.take()), collect(child.0.stderr.take())];
    if let (Some(mut input), Some(key)) = (child.0.stdin.take(), told.key) {
        let mut line = Zeroizing::new(Vec::with_capacity(key.expose().len() + 1));
        line.extend_from_slice(key.expose().as_bytes());
        line.push(b'\n');
        // The pipe has room for the line. A command that does not read it is not at fault.
        let _ = input.write_all(&line);
    }
    let fault = match timeout(limit, child.ended()).await {
        Ok(Ok(status)) if status.success() => None,
        Ok(Ok(status)) => Some(described(status)),
        Ok(Err(error)) => Some(format!("can't be waited for: {error}")),
        Err(_) => {
            child.end();
            Some(format!("did not end within {} s", limit.as_secs_f64()))
        }
    };
    let mut output = String::new();
    for collected in outputs {
        if let Ok(Ok(bytes)) = timeout(LAST_OUTPUT, collected).await {
            output.push_str(&String::from_utf8_lossy(&bytes));
        }
    }
    match fault {
        None => Ok(()),
        Some(fault) => Err(match shown(&output, told.key) {
            output if output.is_empty() => fault,
            output => format!("{fault}: {output}"),
        }),
    }
}

fn start(command: &str, told: &Told<'_>) -> std::io::Result<Child> {
    let mut shell = Command::new("sh");
    shell
        .args(["-c", command])
        .env("TUNNELGATE_VPC_ID", told.path.vpc_id.as_str())
        .env("TUNNELGATE_GATEWAY_ID", told.path.gateway_id.as_str())
        .env("TUNNELGATE_TUNNEL_ID", told.path.tunnel_id.as_str())
        .env_remove("TUNNELGATE_OPERATION_ID")
        .env_remove("TUNNELGATE_ROLLBACK_OF")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        // Ctrl-C at the terminal must not stop it half-way.
        .process_group(0);
    if let Some(id) = told.operation_id {
        shell.env("TUNNELGATE_OPERATION_ID", id.to_string());
    }
    if let Some(id) = told.rollback_of {
        shell.env("TUNNELGATE_ROLLBACK_OF", id.to_string());
    }
    shell.spawn()
}

/// A command that runs.
struct Started(Child);

impl Started {
    async fn ended(&mut self) -> std::io::Result<ExitStatus> {
        let mut pause = FIRST_LOOK;
        loop {
            if let Some(status) = self.0.try_wait()? {
                return Ok(status);
            }
            sleep(pause).await;
            pause = (pause * 2).min(LONGEST_LOOK);
        }
    }

    /// Ends the command and its children, which have a process group of their own.
    fn end(&mut self) {
        if let Ok(None) = self.0.try_wait()
            && let Some(group) = i32::try_from(self.0.id()).ok().and_then(Pid::from_raw)
        {
            let _ = kill_process_group(group, Signal::KILL);
            let _ = self.0.wait();
        }
    }
}

impl Drop for Started {
    fn drop(&mut self) {
        self.end();
    }
}

/// Reads output to its end and keeps the last of it, on a thread: a command never waits for a reader.
fn collect(pipe: Option<impl Read + Send + 'static>) -> oneshot::Receiver<Zeroizing<Vec<u8>>> {
    let (sender, receiver) = oneshot::channel();
    std::thread::spawn(move || {
        let mut kept = Zeroizing::new(Vec::new());
        let mut buffer = Zeroizing::new([0; 4096]);
        if let Some(mut pipe) = pipe {
            while let Ok(read @ 1..) = pipe.read(&mut *buffer) {
                kept.extend_from_slice(&buffer[..read]);
                if kept.len() > 16 * MAX_OUTPUT {
                    let surplus = kept.len() - 8 * MAX_OUTPUT;
                    kept.drain(..surplus);
                }
            }
        }
        let _ = sender.send(kept);
    });
    receiver
}

fn described(status: ExitStatus) -> String {
    match status.code() {
        Some(code) => format!("ended with status {code}"),
        None => "was ended by a signal".to_owned(),
    }
}

/// The end of the output on one line, with the key masked.
fn shown(output: &str, key: Option<&PreSharedKey>) -> String {
    let masked = match key {
        Some(key) => output.replace(key.expose(), "***"),
        None => output.to_owned(),
    };
    let words = masked.split_whitespace().collect::<Vec<_>>().join(" ");
    let plain: String = words.chars().filter(|character| is_plain_character(*character)).collect();
    let skipped = plain.chars().count().saturating_sub(MAX_OUTPUT);
    if skipped == 0 { plain } else { format!("…{}", plain.chars().skip(skipped).collect::<String>()) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rollout::plan;

    async fn told(command: &str, limit: Duration) -> Result<(), String> {
        let path = plan::path("vpc-1", "vpngw-1", "vpnx-1").expect("ids");
        let key = PreSharedKey::parse("canary-key").expect("a key");
        let told = Told { path: &path, operation_id: None, rollback_of: None, key: Some(&key) };
        run(command, &told, limit).await
    }

    const LONG: Duration = Duration::from_secs(30);

    #[tokio::test]
    async fn the_key_comes_on_standard_input_and_nowhere_else() {
        let script = "read -r key; test \"$key\" = canary\"-\"key && test \"$TUNNELGATE_TUNNEL_ID\" = vpnx-1 \
                      && ! env | grep -q 'canar[y]-key' && ! grep -q 'canar[y]-key' /proc/$$/cmdline";
        assert_eq!(told(script, LONG).await, Ok(()));
        // One that reads nothing is not at fault.
        assert_eq!(told("exec <&-; true", LONG).await, Ok(()));
    }

    #[tokio::test]
    async fn a_failure_shows_the_status_and_the_output_without_the_key() {
        let failed = told("cat; printf 'no\\033[31m way\\n' >&2; exit 7", LONG).await;
        assert_eq!(failed, Err("ended with status 7: *** no[31m way".to_owned()));
    }

    #[tokio::test]
    async fn a_command_that_does_not_end_is_ended_with_its_children() {
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("alive");
        // A child that would write after a second, and keeps the pipes open.
        let script = format!("(sleep 1; touch {}) & sleep 60", file.display());
        let failed = told(&script, Duration::from_millis(100)).await;
        assert_eq!(failed, Err("did not end within 0.1 s".to_owned()));
        tokio::time::sleep(Duration::from_millis(1200)).await;
        assert!(!file.exists());
    }
}
