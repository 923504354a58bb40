//! Tunnels that misbehave; the name says how.

use crate::domain::words::words;

words! {
    /// How a tunnel misbehaves when it is changed. Its id is `vpnx-` and this word.
    pub enum Behaviour {
        TaskFails = "task-fails",
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
    }
}

/// What each does, for people.
pub const BEHAVIOURS: &[(Behaviour, &str)] = &[
    (Behaviour::TaskFails, "the task ends as failed; the tunnel stays as it was"),
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
];
