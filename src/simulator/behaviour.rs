//! Tunnels that misbehave. The id of a tunnel says how.

use crate::domain::words::words;

words! {
    /// How a tunnel misbehaves, or its unusual state. The id of the tunnel is `vpnx-` and this word.
    pub enum Behaviour {
        TaskFails = "task-fails",
        TaskEchoesKey = "task-echoes-key",
        SlowTask = "slow-task",
        TaskNeverEnds = "task-never-ends",
        StrangeTaskStatus = "strange-task-status",
        TaskForgotten = "task-forgotten",
        Diverged = "diverged",
        Http500Before = "http-500-before",
        Http500After = "http-500-after",
        ResetBefore = "reset-before",
        ResetAfter = "reset-after",
        NoAnswer = "no-answer",
        NoAnswerAfter = "no-answer-after",
        RateLimitedTwice = "rate-limited-twice",
        AlwaysRateLimited = "always-rate-limited",
        ForeignBody = "foreign-body",
        TruncatedBody = "truncated-body",
        MissingCode = "missing-code",
        Failed5100 = "failed-5100",
        Internal6000After = "internal-6000-after",
        Credentials = "credentials",
        Replay = "replay",
        Unreadable = "unreadable",
        UnreadableAfter = "unreadable-after",
        Creating = "creating",
        CreationFailed = "creation-failed",
        ModificationFailed = "modification-failed",
        Deleting = "deleting",
        DeletionFailed = "deletion-failed",
        StrangeStatus = "strange-status",
        Disconnected = "disconnected",
        ConnectivityUnsaid = "connectivity-unsaid",
        StrangeConnectivity = "strange-connectivity",
    }
}

/// Every behaviour with its description, for `--help`.
pub const BEHAVIOURS: &[(Behaviour, &str)] = &[
    (Behaviour::TaskFails, "the task fails; nothing changes"),
    (Behaviour::TaskEchoesKey, "the task fails, and its error message repeats the pre-shared key"),
    (Behaviour::SlowTask, "the task takes five times as long"),
    (Behaviour::TaskNeverEnds, "the task never ends"),
    (Behaviour::StrangeTaskStatus, "the task has an undocumented status"),
    (Behaviour::TaskForgotten, "polls of the task say that it does not exist; the change happens"),
    (Behaviour::Diverged, "the task succeeds, but the ranges do not change"),
    (Behaviour::Http500Before, "HTTP 500; nothing changes"),
    (Behaviour::Http500After, "HTTP 500; the change happens"),
    (Behaviour::ResetBefore, "the connection breaks; nothing changes"),
    (Behaviour::ResetAfter, "the connection breaks; the change happens"),
    (Behaviour::NoAnswer, "no answer for a minute; nothing changes"),
    (Behaviour::NoAnswerAfter, "no answer for a minute; the change happens"),
    (Behaviour::RateLimitedTwice, "refused twice with 4400, then accepted"),
    (Behaviour::AlwaysRateLimited, "always refused with 4400"),
    (Behaviour::ForeignBody, "HTTP 200 with an HTML page; nothing changes"),
    (Behaviour::TruncatedBody, "half an answer; the change happens"),
    (Behaviour::MissingCode, "an answer without a code; the change happens"),
    (Behaviour::Failed5100, "refused with 5100"),
    (Behaviour::Internal6000After, "error 6000; the change happens"),
    (Behaviour::Credentials, "refused with 4102"),
    (Behaviour::Replay, "refused once with 4500, then accepted"),
    (Behaviour::Unreadable, "a read of this tunnel gets HTTP 500"),
    (Behaviour::UnreadableAfter, "after a change, a read of this tunnel gets HTTP 500"),
    (Behaviour::Creating, "its creation never ends (vpcConnStatus 0); refuses changes"),
    (Behaviour::CreationFailed, "its creation failed (vpcConnStatus 1); refuses changes"),
    (Behaviour::ModificationFailed, "its last change failed (vpcConnStatus 3)"),
    (Behaviour::Deleting, "its deletion never ends (vpcConnStatus 4); refuses changes"),
    (Behaviour::DeletionFailed, "its deletion failed (vpcConnStatus 5); refuses changes"),
    (Behaviour::StrangeStatus, "its vpcConnStatus is undocumented"),
    (Behaviour::Disconnected, "is not connected to its peer (netStatus unavailable)"),
    (Behaviour::ConnectivityUnsaid, "answers leave out its netStatus"),
    (Behaviour::StrangeConnectivity, "its netStatus is undocumented"),
];

impl Behaviour {
    /// The permanent `vpcConnStatus` of the tunnel; `None` if its status changes with its tasks.
    pub(super) const fn status(self) -> Option<u8> {
        match self {
            Self::Creating => Some(0),
            Self::CreationFailed => Some(1),
            Self::Deleting => Some(4),
            Self::DeletionFailed => Some(5),
            Self::StrangeStatus => Some(9),
            _ => None,
        }
    }

    /// True if the cloud refuses every change of the tunnel because of its state.
    pub(super) const fn is_closed(self) -> bool {
        matches!(self, Self::Creating | Self::CreationFailed | Self::Deleting | Self::DeletionFailed)
    }
}

/// An answer that the id of a tunnel spells out. The tunnel gives it to every change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Spelt {
    /// `vpnx-code-4300`: refused with this number.
    Code(i64),
    /// `vpnx-desc-InvalidVpc_NotFound`: 4000 with this `codeDesc` (`_` means a dot).
    CodeDesc(String),
    /// `vpnx-message-ActionLocked`: 4000 with this word in the message only.
    Message(String),
    /// `vpnx-modern-InternalError`: an error in the shape of API 3.0.
    Modern(String),
    /// `vpnx-http-503`: this HTTP status with an HTML page.
    Http(u16),
}

impl Spelt {
    /// The answer that the id of a tunnel spells out.
    #[must_use]
    pub fn of(tunnel: &str) -> Option<Self> {
        let (kind, word) = tunnel.strip_prefix("vpnx-")?.split_once('-')?;
        let words = || word.replace('_', ".");
        match kind {
            "code" => word.parse().ok().map(Self::Code),
            "desc" => Some(Self::CodeDesc(words())),
            "message" => Some(Self::Message(words())),
            "modern" => Some(Self::Modern(words())),
            "http" => word.parse().ok().filter(|status| (200..600).contains(status)).map(Self::Http),
            _ => None,
        }
    }
}

/// An example of every [`Spelt`] with its description, for `--help`.
pub const SPELT: &[(&str, &str)] = &[
    ("vpnx-code-4300", "refused with this number, any number"),
    ("vpnx-desc-InvalidVpc_NotFound", "4000 with this codeDesc, any word"),
    ("vpnx-message-ActionLocked", "4000 with this word in the message only"),
    ("vpnx-modern-InternalError", "an error in the shape of API 3.0"),
    ("vpnx-http-503", "this HTTP status with an HTML page, from 200 to 599"),
];
