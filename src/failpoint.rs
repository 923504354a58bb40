//! Failpoints: named places between the steps of a change where a test can abort the process, pause a task, or panic.
//! Only builds with the feature `failpoints` contain them; releases do not.
//!
//! `TUNNELGATE_FAILPOINTS` contains `name=action` or `name=action@n`, separated by `;`. The action runs when execution
//! reaches the failpoint for the n-th time (default 1):
//!
//! - `abort` ends the process at once, without unwinding, flushing or closing, as SIGKILL does;
//! - `pause` suspends the task for ever;
//! - `panic(message)` panics with the message.

/// Declares a failpoint. `docs/decisions/012-crash-tests-and-failpoints.md` lists the names; `tests/crash/points.rs`
/// checks that each has a test.
macro_rules! at {
    ($name:literal) => {
        #[cfg(feature = "failpoints")]
        $crate::failpoint::hit($name).await;
    };
}
pub(crate) use at;

#[cfg(feature = "failpoints")]
pub(crate) use armed::hit;

#[cfg(feature = "failpoints")]
mod armed {
    use std::sync::LazyLock;
    use std::sync::atomic::{AtomicU32, Ordering};

    enum Action {
        Abort,
        Pause,
        Panic(String),
    }

    struct Point {
        name: String,
        action: Action,
        /// The pass on which the action runs, counted from 1.
        at: u32,
        passed: AtomicU32,
    }

    static POINTS: LazyLock<Vec<Point>> = LazyLock::new(|| {
        let armed = std::env::var("TUNNELGATE_FAILPOINTS").unwrap_or_default();
        armed.split(';').filter_map(read).collect()
    });

    fn read(text: &str) -> Option<Point> {
        let (name, rest) = text.split_once('=')?;
        let (action, at) = rest.rsplit_once('@').unwrap_or((rest, "1"));
        let words = action.strip_prefix("panic(").and_then(|rest| rest.strip_suffix(')'));
        let action = match (action, words) {
            ("abort", _) => Action::Abort,
            ("pause", _) => Action::Pause,
            (_, Some(words)) => Action::Panic(words.to_owned()),
            _ => return None,
        };
        Some(Point { name: name.to_owned(), action, at: at.parse().ok()?, passed: AtomicU32::new(0) })
    }

    #[allow(clippy::panic, reason = "a test requested the panic")]
    pub(crate) async fn hit(name: &'static str) {
        let Some(point) = POINTS.iter().find(|point| point.name == name) else { return };
        if point.passed.fetch_add(1, Ordering::Relaxed) + 1 != point.at {
            return;
        }
        match &point.action {
            Action::Abort => std::process::abort(),
            Action::Pause => std::future::pending().await,
            Action::Panic(words) => panic!("{words}"),
        }
    }
}
