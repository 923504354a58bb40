//! The real binary as a child process with its output in files.

#![allow(dead_code, reason = "each test binary uses a part of it")]

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use crate::support::consumer::PATIENCE;

/// A running tunnelgate.
pub struct Process {
    child: Child,
    stdout: PathBuf,
    stderr: PathBuf,
}

impl Process {
    /// Starts the binary with only the given environment.
    pub fn start(folder: &Path, name: &str, args: &[&str], env: &[(&str, &str)]) -> Self {
        let stdout = folder.join(format!("{name}.out"));
        let stderr = folder.join(format!("{name}.err"));
        let child = command(args, env)
            .current_dir(folder)
            .stdin(Stdio::null())
            .stdout(File::create(&stdout).expect("a file for stdout"))
            .stderr(File::create(&stderr).expect("a file for stderr"))
            .spawn()
            .expect("the binary starts");
        Self { child, stdout, stderr }
    }

    /// The output so far.
    pub fn stdout(&self) -> String {
        std::fs::read_to_string(&self.stdout).unwrap_or_default()
    }

    pub fn stderr(&self) -> String {
        std::fs::read_to_string(&self.stderr).unwrap_or_default()
    }

    /// Polls the output until `find` finds something in it.
    pub fn await_output<T>(&mut self, what: &str, find: impl Fn(&str) -> Option<T>) -> T {
        let until = Instant::now() + PATIENCE;
        loop {
            let output = format!("{}\n{}", self.stdout(), self.stderr());
            if let Some(found) = find(&output) {
                return found;
            }
            let ended = self.child.try_wait().expect("its status");
            assert!(ended.is_none() && Instant::now() < until, "no {what} ({ended:?}) in:\n{output}");
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    /// Waits for the address on which the process listens.
    pub fn address(&mut self) -> String {
        self.await_output("address", |output| {
            let at = output.find("listening on http")? + "listening on ".len();
            let rest = &output[at..];
            let end = rest.find(|c: char| c.is_whitespace() || c == '"')?;
            Some(rest[..end].trim_end_matches('/').to_owned())
        })
    }

    /// Sends SIGKILL.
    pub fn kill(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }

    /// Sends SIGTERM; returns the exit status.
    pub fn terminate(mut self) -> ExitStatus {
        self.signal("-TERM");
        self.wait()
    }

    /// Sends SIGHUP: the gateway reloads its accounts and certificates.
    pub fn hang_up(&self) {
        self.signal("-HUP");
    }

    /// Sends a signal by its name in kill(1).
    pub fn signal(&self, signal: &str) {
        let pid = self.child.id().to_string();
        let sent = Command::new("kill").args([signal, &pid]).status().expect("kill runs");
        assert!(sent.success());
    }

    /// Its resident memory, in bytes.
    pub fn memory(&self) -> u64 {
        let status =
            std::fs::read_to_string(format!("/proc/{}/status", self.child.id())).expect("its status");
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).expect("its memory");
        line.trim().trim_end_matches(" kB").parse::<u64>().expect("a number") * 1024
    }

    /// The number of its open files.
    pub fn open_files(&self) -> usize {
        std::fs::read_dir(format!("/proc/{}/fd", self.child.id())).expect("its files").count()
    }

    /// The exit status, if the process has ended.
    pub fn has_ended(&mut self) -> Option<ExitStatus> {
        self.child.try_wait().expect("its status")
    }

    /// Waits until the process ends by itself.
    pub fn wait(&mut self) -> ExitStatus {
        let until = Instant::now() + PATIENCE;
        loop {
            if let Some(status) = self.child.try_wait().expect("its status") {
                return status;
            }
            assert!(Instant::now() < until, "it does not end:\n{}", self.stderr());
            std::thread::sleep(Duration::from_millis(10));
        }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.kill();
    }
}

fn command(args: &[&str], env: &[(&str, &str)]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_tunnelgate"));
    command.args(args).env_clear().env("PATH", std::env::var_os("PATH").unwrap_or_default());
    command.envs(env.iter().copied());
    command
}

/// Runs the binary to its end.
pub fn run(folder: &Path, args: &[&str], env: &[(&str, &str)]) -> std::process::Output {
    command(args, env).current_dir(folder).stdin(Stdio::null()).output().expect("the binary runs")
}
