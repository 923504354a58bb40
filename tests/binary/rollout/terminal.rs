//! What a person sees and types on a terminal.

use std::fs::File;
use std::io::Write;
use std::path::PathBuf;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::time::{Duration, Instant};

use super::site::{Site, path};
use crate::support::consumer::PATIENCE;

/// `tunnelgate rollout` on a pseudo-terminal, which script(1) of util-linux makes.
struct Terminal {
    child: Child,
    keyboard: ChildStdin,
    screen: PathBuf,
}

impl Terminal {
    fn start(site: &Site, columns: u16, args: &str) -> Self {
        let screen = site.file("screen");
        let command =
            format!("stty cols {columns} rows 24; exec {} rollout {args}", env!("CARGO_BIN_EXE_tunnelgate"));
        let mut child = Command::new("script")
            .args(["-q", "-e", "-c", &command, "/dev/null"])
            .current_dir(site.installation.path())
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap_or_default())
            .env("TERM", "xterm")
            .env("TUNNELGATE_URL", &site.consumer.base)
            .env("TUNNELGATE_TOKEN", &site.consumer.token)
            .stdin(Stdio::piped())
            .stdout(File::create(&screen).expect("a file"))
            .stderr(Stdio::null())
            .spawn()
            .expect("script runs");
        let keyboard = child.stdin.take().expect("a keyboard");
        Self { child, keyboard, screen }
    }

    fn shown(&self) -> String {
        String::from_utf8_lossy(&std::fs::read(&self.screen).unwrap_or_default()).into_owned()
    }

    fn await_text(&mut self, text: &str) {
        let until = Instant::now() + PATIENCE;
        while !self.shown().contains(text) {
            let ended = self.child.try_wait().expect("its status");
            assert!(ended.is_none() && Instant::now() < until, "no {text} ({ended:?}) in {}", self.shown());
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    fn press(&mut self, keys: &str) {
        self.keyboard.write_all(keys.as_bytes()).and_then(|()| self.keyboard.flush()).expect("pressed");
    }

    /// Waits for the end; the exit code, and all that was shown.
    fn end(mut self) -> (Option<i32>, String) {
        let until = Instant::now() + PATIENCE;
        loop {
            if let Some(status) = self.child.try_wait().expect("its status") {
                return (status.code(), self.shown());
            }
            assert!(Instant::now() < until, "it does not end: {}", self.shown());
            std::thread::sleep(Duration::from_millis(10));
        }
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The texts between the moves of the cursor, without colours.
fn pieces(shown: &str) -> Vec<String> {
    let mut pieces = vec![String::new()];
    let mut characters = shown.chars();
    while let Some(character) = characters.next() {
        match character {
            '\u{1b}' => {
                let end = characters.find(|c| c.is_ascii_alphabetic());
                if end != Some('m') {
                    pieces.push(String::new());
                }
            }
            '\r' | '\n' => pieces.push(String::new()),
            other => pieces.last_mut().expect("a piece").push(other),
        }
    }
    pieces
}

fn plan(site: &Site, tunnels: usize) {
    let one = |n: usize| {
        format!(
            "- path: {}\n  patch: {{name: office-{n}, peer_cidrs: [10.{n}.0.0/16]}}\n",
            path(&format!("vpnx-load-{n}"))
        )
    };
    site.write("plan.yaml", &format!("tunnels:\n{}", (1..=tunnels).map(one).collect::<String>()));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_is_sent_without_a_yes() {
    let site = Site::new().await;
    plan(&site, 2);
    // No, Enter alone, the end of the input, and Ctrl-C.
    for keys in ["n\n", "\n", "yy\n", "\u{4}", "\u{3}"] {
        let mut terminal = Terminal::start(&site, 80, "plan.yaml");
        terminal.await_text("Change 2 tunnels in 2 batches (1,5,25%)? [y/N] ");
        // The bar of the dry run is gone.
        let asked = pieces(&terminal.shown());
        assert!(asked.last().is_some_and(|last| last.starts_with("Change 2")), "{asked:?}");
        terminal.press(keys);
        let (code, shown) = terminal.end();
        assert_eq!(code, Some(2), "{keys:?}: {shown}");
        assert!(pieces(&shown).iter().any(|piece| piece == "nothing was sent"), "{keys:?}: {shown}");
        assert!(!site.file("plan.yaml.state").exists());
    }
    assert!(site.installation.received().await.is_empty());
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_bar_shows_the_progress_and_fits_into_a_narrow_terminal() {
    let site = Site::new().await;
    plan(&site, 3);
    for (columns, n) in [(40_u16, 1), (120, 2)] {
        let before = format!(
            "'touch begun-{n}; while ! test -e go-{n}; do sleep 0.02; done; test $TUNNELGATE_TUNNEL_ID != vpnx-load-3'"
        );
        let state = if n == 1 { "" } else { "--resume plan.yaml.state" };
        let mut terminal =
            Terminal::start(&site, columns, &format!("plan.yaml {state} --batch 1 --before {before}"));
        terminal.await_text("[y/N] ");
        terminal.press("y\n");
        terminal.await_text("batch 1: 1 t");
        site.write(&format!("go-{n}"), "");
        let (code, shown) = terminal.end();
        assert_eq!(code, Some(1), "{shown}");
        let pieces = pieces(&shown);
        let bars: Vec<&String> = pieces.iter().filter(|piece| piece.contains("/3 tunnels, ")).collect();
        assert!(bars.iter().any(|bar| bar.contains("2/3 tunnels") && bar.contains("batch")), "{shown}");
        for bar in bars {
            assert!(bar.chars().count() <= usize::from(columns), "{bar:?} in {columns} columns");
        }
        // Trouble and the report are lines of their own; steps without trouble are in the bar only.
        for line in [
            "vpc-03vihbk9/vpngw-kfldykuz/vpnx-load-3: left alone: --before ended with status 1",
            "2 as asked, 0 not as asked, 1 never sent",
        ] {
            assert!(pieces.iter().any(|piece| piece == line), "{line} in {shown:?}");
        }
        assert!(!shown.contains("vpnx-load-1: sending"), "{shown}");
    }
}

/// Ctrl-C reaches the rollout and not its commands. The first one finishes what is under way, the second one ends at once.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ctrl_c_finishes_what_is_under_way_and_a_second_one_does_not() {
    let site = Site::new().await;
    plan(&site, 3);
    let ranges = (1..=3).map(|n| (format!("vpnx-load-{n}"), format!("10.{n}.0.0/16")));
    site.set_ranges(&ranges.collect()).await;
    let before = "touch begun-$TUNNELGATE_TUNNEL_ID; while ! test -e go; do sleep 0.02; done";
    let command = |more: &str| format!("plan.yaml --yes --batch 2,1 {more} --before '{before}'");
    let are_begun = |site: &Site| {
        let until = Instant::now() + PATIENCE;
        while ![1, 2].iter().all(|n| site.file(&format!("begun-vpnx-load-{n}")).exists()) {
            assert!(Instant::now() < until, "not begun");
            std::thread::sleep(Duration::from_millis(10));
        }
    };
    let mut terminal = Terminal::start(&site, 80, &command(""));
    are_begun(&site);
    terminal.press("\u{3}");
    terminal.await_text("shutting down");
    terminal.press("\u{3}");
    let (code, shown) = terminal.end();
    assert_eq!(code, Some(130), "{shown}");
    assert_eq!(site.received("vpnx-load-1").await, 1, "its ranges");

    for n in 1..=2 {
        std::fs::remove_file(site.file(&format!("begun-vpnx-load-{n}"))).expect("removed");
    }
    let mut terminal = Terminal::start(&site, 80, &command("--resume plan.yaml.state"));
    are_begun(&site);
    terminal.press("\u{3}");
    terminal.await_text("shutting down");
    site.write("go", "");
    let (code, shown) = terminal.end();
    assert_eq!(code, Some(1), "{shown}");
    for told in [
        "stopped, as requested",
        "2 as asked, 0 not as asked, 1 never sent",
        "to go on: the same command with --resume plan.yaml.state",
    ] {
        assert!(shown.contains(told), "{told} in {shown}");
    }
    site.rollout(&["plan.yaml", "--yes", "--resume", "plan.yaml.state"]).with(0);
    for n in 1..=3 {
        assert_eq!(site.received(&format!("vpnx-load-{n}")).await, 2, "its ranges and its name");
    }
}
