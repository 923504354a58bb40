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
        TaskUnknown = "task-unknown",
        ExpiredOnce = "expired-once",
        NoPolicies = "no-policies",
        PoliciesOnly = "policies-only",
        OldGateway = "old-gateway",
        StrangeStatusAfter = "strange-status-after",
    }
}

/// How the lists of tunnels are answered.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Lists {
    #[default]
    AsAsked,
    /// The filters are ignored.
    Unfiltered,
    /// The credentials may not list all tunnels of the account: a list without a VPC, a gateway or a tunnel is refused.
    NotWhole,
}

/// The state of a tunnel.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Standing {
    Creating,
    CreationFailed,
    Changing,
    ChangeFailed,
    Running,
    Deleting,
    DeletionFailed,
    /// A state that no document names.
    Strange,
}

/// The connection of a tunnel to its peer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Connectivity {
    Connected,
    Disconnected,
    /// Answers say nothing about it.
    Unsaid,
    /// A word that no document names.
    Strange,
}

/// Every behaviour with its description, for `--help`.
pub const BEHAVIOURS: &[(Behaviour, &str)] = &[
    (Behaviour::TaskFails, "the task fails; nothing changes"),
    (Behaviour::TaskEchoesKey, "the task fails, and its error message repeats the pre-shared key"),
    (Behaviour::SlowTask, "the task takes five times as long"),
    (Behaviour::TaskNeverEnds, "the task never ends"),
    (Behaviour::StrangeTaskStatus, "the task has an undocumented status"),
    (
        Behaviour::TaskForgotten,
        "polls say that the task does not exist (5000, ResourceNotFound); the change happens",
    ),
    (Behaviour::Diverged, "the task succeeds, but the ranges do not change"),
    (Behaviour::Http500Before, "HTTP 500; nothing changes"),
    (Behaviour::Http500After, "HTTP 500; the change happens"),
    (Behaviour::ResetBefore, "the connection breaks; nothing changes"),
    (Behaviour::ResetAfter, "the connection breaks; the change happens"),
    (Behaviour::NoAnswer, "no answer for a minute; nothing changes"),
    (Behaviour::NoAnswerAfter, "no answer for a minute; the change happens"),
    (Behaviour::RateLimitedTwice, "refused twice with 4400 or RequestLimitExceeded, then accepted"),
    (Behaviour::AlwaysRateLimited, "always refused with 4400 or RequestLimitExceeded"),
    (Behaviour::ForeignBody, "HTTP 200 with an HTML page; nothing changes"),
    (Behaviour::TruncatedBody, "half an answer; the change happens"),
    (Behaviour::MissingCode, "an answer without a code, or without RequestId; the change happens"),
    (Behaviour::Failed5100, "refused with 5100 or FailedOperation"),
    (Behaviour::Internal6000After, "error 6000 or InternalError; the change happens"),
    (Behaviour::Credentials, "refused with 4102 or UnauthorizedOperation"),
    (Behaviour::Replay, "API 2.0: refused once with 4500, then accepted (API 3.0 has no nonces)"),
    (Behaviour::Unreadable, "a read of this tunnel gets HTTP 500"),
    (Behaviour::UnreadableAfter, "after a change, a read of this tunnel gets HTTP 500"),
    (Behaviour::Creating, "its creation never ends (vpcConnStatus 0, PENDING); refuses changes"),
    (
        Behaviour::CreationFailed,
        "its creation failed (vpcConnStatus 1; 3.0 has no word: PENDING); refuses changes",
    ),
    (Behaviour::ModificationFailed, "its last change failed (vpcConnStatus 3; 3.0 has no word: AVAILABLE)"),
    (Behaviour::Deleting, "its deletion never ends (vpcConnStatus 4, DELETING); refuses changes"),
    (
        Behaviour::DeletionFailed,
        "its deletion failed (vpcConnStatus 5; 3.0 has no word: DELETING); refuses changes",
    ),
    (Behaviour::StrangeStatus, "its vpcConnStatus or State is undocumented"),
    (Behaviour::StrangeStatusAfter, "the same, and HTTP 500; the change happens"),
    (Behaviour::Disconnected, "is not connected to its peer (netStatus unavailable)"),
    (Behaviour::ConnectivityUnsaid, "answers leave out its netStatus"),
    (Behaviour::StrangeConnectivity, "its netStatus is undocumented"),
    (
        Behaviour::TaskUnknown,
        "API 3.0: no RequestId is a task (InvalidParameterValue), and its State is always AVAILABLE",
    ),
    (Behaviour::ExpiredOnce, "refused once with 4200 or AuthFailure.SignatureExpire, then accepted"),
    (Behaviour::NoPolicies, "has no security policies at first"),
    (
        Behaviour::PoliciesOnly,
        "API 3.0: refuses health checks and BGP, because it routes by security policies",
    ),
    (
        Behaviour::OldGateway,
        "API 3.0: its gateway is older than version 4.0: no AES-GCM, no CustomerGatewayId",
    ),
];

impl Behaviour {
    /// The permanent state of the tunnel; `None` if its state changes with its tasks.
    pub(super) const fn standing(self) -> Option<Standing> {
        match self {
            Self::Creating => Some(Standing::Creating),
            Self::CreationFailed => Some(Standing::CreationFailed),
            Self::Deleting => Some(Standing::Deleting),
            Self::DeletionFailed => Some(Standing::DeletionFailed),
            Self::StrangeStatus | Self::StrangeStatusAfter => Some(Standing::Strange),
            _ => None,
        }
    }

    pub(super) const fn connectivity(self) -> Connectivity {
        match self {
            Self::Disconnected => Connectivity::Disconnected,
            Self::ConnectivityUnsaid => Connectivity::Unsaid,
            Self::StrangeConnectivity => Connectivity::Strange,
            _ => Connectivity::Connected,
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
    ("vpnx-modern-InternalError", "an error in the shape of API 3.0, with any code (_ means a dot)"),
    ("vpnx-http-503", "this HTTP status with an HTML page, from 200 to 599"),
];
