//! A configuration under construction: comments at its top, then its lines.

use std::ops::RangeInclusive;

use super::peer::Peer;

pub(super) struct Text {
    /// What starts a comment.
    sign: &'static str,
    comments: String,
    lines: String,
}

impl Text {
    /// With the comments that every format has.
    pub fn of(peer: &Peer, sign: &'static str) -> Self {
        let mut text = Self { sign, comments: String::new(), lines: String::new() };
        text.comment(&format!("The peer's side of the tunnel {}.", peer.id));
        for note in &peer.notes {
            text.comment(note);
        }
        text
    }

    pub fn comment(&mut self, line: &str) {
        self.comments.extend([self.sign, " ", line, "\n"]);
    }

    pub fn line(&mut self, line: impl AsRef<str>) {
        self.lines.extend([line.as_ref(), "\n"]);
    }

    /// The value of a setting that has limits in the format: the nearest value within them, with a comment if that is
    /// another one.
    pub fn within(&mut self, setting: &str, value: u64, limits: RangeInclusive<u64>) -> u64 {
        let near = value.clamp(*limits.start(), *limits.end());
        if near != value {
            let (from, to) = limits.into_inner();
            self.comment(&format!(
                "{setting}: the cloud has {value}; {from} to {to} is possible here, so it is {near} below."
            ));
        }
        near
    }

    pub fn finish(self) -> String {
        self.comments + &self.lines
    }
}
