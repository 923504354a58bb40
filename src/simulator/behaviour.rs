//! Tunnels that misbehave; the name says how.

use crate::domain::words::words;

words! {
    /// How a tunnel misbehaves, or what is the matter with it. Its id is `vpnx-` and this word.
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

/// What each does, for people.
pub const BEHAVIOURS: &[(Behaviour, &str)] = &[
    (Behaviour::TaskFails, "the task ends as failed; the tunnel stays as it was"),
    (Behaviour::TaskEchoesKey, "the task ends as failed, and its words repeat the pre-shared key"),
    (Behaviour::SlowTask, "the task takes five times as long"),
    (Behaviour::TaskNeverEnds, "the task runs for ever"),
    (Behaviour::StrangeTaskStatus, "the task's status is one that no document names"),
    (Behaviour::TaskForgotten, "the cloud does not know the task any more; the change happens"),
    (Behaviour::Diverged, "the task succeeds, but the ranges are not changed"),
    (Behaviour::Http500Before, "HTTP 500, nothing happens"),
    (Behaviour::Http500After, "HTTP 500, but the change happens"),
    (Behaviour::ResetBefore, "the connection breaks, nothing happens"),
    (Behaviour::ResetAfter, "the connection breaks, but the change happens"),
    (Behaviour::NoAnswer, "no answer for a minute, nothing happens"),
    (Behaviour::NoAnswerAfter, "no answer for a minute, but the change happens"),
    (Behaviour::RateLimitedTwice, "refused twice with 4400, then taken"),
    (Behaviour::AlwaysRateLimited, "refused with 4400, always"),
    (Behaviour::ForeignBody, "HTTP 200 with an HTML page, nothing happens"),
    (Behaviour::TruncatedBody, "half an answer; the change happens"),
    (Behaviour::MissingCode, "an answer without a code; the change happens"),
    (Behaviour::Failed5100, "refused with 5100"),
    (Behaviour::Internal6000After, "6000, but the change happens"),
    (Behaviour::Credentials, "refused with 4102"),
    (Behaviour::Replay, "refused once with 4500, then taken"),
    (Behaviour::Unreadable, "reading it gives HTTP 500"),
    (Behaviour::Creating, "is being made for ever (vpcConnStatus 0); changes are refused"),
    (Behaviour::CreationFailed, "could not be made (vpcConnStatus 1); changes are refused"),
    (Behaviour::ModificationFailed, "its last change failed (vpcConnStatus 3)"),
    (Behaviour::Deleting, "is being deleted for ever (vpcConnStatus 4); changes are refused"),
    (Behaviour::DeletionFailed, "could not be deleted (vpcConnStatus 5); changes are refused"),
    (Behaviour::StrangeStatus, "its vpcConnStatus is one that no document names"),
    (Behaviour::Disconnected, "is not connected to its peer (netStatus unavailable)"),
    (Behaviour::ConnectivityUnsaid, "the cloud does not say whether it is connected"),
    (Behaviour::StrangeConnectivity, "its netStatus is one that no document names"),
];

impl Behaviour {
    /// The number of `vpcConnStatus` that the tunnel stays in, if it does.
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

    /// True if the tunnel's state allows no change.
    pub(super) const fn is_closed(self) -> bool {
        matches!(self, Self::Creating | Self::CreationFailed | Self::Deleting | Self::DeletionFailed)
    }
}

/// An answer that a tunnel's name spells out, instead of taking the change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Spelt {
    /// `vpnx-code-4300`: refused with this number.
    Code(i64),
    /// `vpnx-desc-InvalidVpc_NotFound`: 4000 with this `codeDesc` (`_` stands for a dot).
    CodeDesc(String),
    /// `vpnx-message-ActionLocked`: 4000 with this word in the message only.
    Message(String),
    /// `vpnx-modern-InternalError`: an error in the shape of API 3.0.
    Modern(String),
    /// `vpnx-http-503`: this HTTP status with an HTML page.
    Http(u16),
}

impl Spelt {
    /// What the id of a tunnel spells out.
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

/// The same for people.
pub const SPELT: &[(&str, &str)] = &[
    ("vpnx-code-4300", "refused with this number, any number"),
    ("vpnx-desc-InvalidVpc_NotFound", "4000 with this codeDesc, any word"),
    ("vpnx-message-ActionLocked", "4000 with this word in the message only"),
    ("vpnx-modern-InternalError", "an error in the shape of API 3.0"),
    ("vpnx-http-503", "this HTTP status with an HTML page, from 200 to 599"),
];
