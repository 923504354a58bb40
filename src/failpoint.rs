//! Named places between the steps of a change where a test can end the process, hold it, or make it panic. They are
//! compiled in with the feature `failpoints` only, which no release has; without it nothing of them is left.
//!
//! `TUNNELGATE_FAILPOINTS` holds `name=action` or `name=action@n`, joined with `;`. The action happens when the place
//! is passed for the n-th time, the first by default:
//!
//! - `abort` ends the process at once: nothing is unwound, flushed or closed, as with SIGKILL;
//! - `pause` holds whoever came there for ever;
//! - `panic(words)` panics with these words.

/// Marks a place. The names in use stand in `docs/decisions/012-dying-is-tested-at-every-step.md`, and a test sees to
/// it that each has its test.
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
        /// The passage at which it happens, counted from 1.
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

    #[allow(clippy::panic, reason = "a test asked for it")]
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
