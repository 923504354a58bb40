//! `GET /audit-events/stream`: every event as it is committed, as server-sent events.

use actix_web::HttpResponse;
use actix_web::web::Bytes;
use futures_util::stream;
use tokio::sync::broadcast::Receiver;
use tokio::sync::broadcast::error::RecvError;
use tokio::time::{Instant, Interval, sleep_until};

use crate::domain::fault::Fault;
use crate::domain::principal::{Scope, VpcScope};
use crate::service::feed::{Entry, News, Page, is_readable};
use crate::service::ledger::EventFilter;
use crate::shutdown::Shutdown;

use super::filter::filter;
use crate::http::call::Call;
use crate::http::input::query::Query;
use crate::http::metrics::InFlight;
use crate::http::missing;
use crate::http::problem::Problem;
use crate::http::sse::{self, LAST_EVENT_ID, Lasting};

/// Digits of the largest accepted seq, which always fits into an `i64`.
const MAX_DIGITS: usize = 18;

/// An open stream.
struct Feed {
    /// Authenticated again at each heartbeat, because its key can be revoked.
    call: Call,
    vpcs: VpcScope,
    filter: EventFilter,
    news: Receiver<News>,
    /// Every event up to this seq was sent or is not for this caller.
    position: i64,
    /// False while events after `position` have to be read from the ledger.
    has_caught_up: bool,
    shutdown: Shutdown,
    heartbeats: Interval,
    until: Instant,
    text: String,
    _waiting: InFlight,
}

impl Feed {
    /// The next bytes to send; `None` at the end.
    async fn next(&mut self) -> Option<Bytes> {
        while self.text.is_empty() {
            let page = read(&self.call, &self.vpcs, &self.filter, self.position);
            tokio::select! {
                biased;
                () = self.shutdown.requested() => return None,
                () = sleep_until(self.until) => return None,
                // Before any news: a client that read nothing for long may have lost its rights.
                _ = self.heartbeats.tick() => {
                    if !self.may_still_read().await {
                        return None;
                    }
                    self.beat();
                }
                page = page, if !self.has_caught_up => {
                    // The client reconnects, and goes on after the last event that it has.
                    let page = page.ok()?;
                    page.entries.iter().for_each(|entry| self.add(entry));
                    (self.position, self.has_caught_up) = (page.position, page.is_last);
                }
                news = self.news.recv(), if self.has_caught_up => match news {
                    Ok(News::Block(block)) if block.after > self.position => self.has_caught_up = false,
                    Ok(News::Block(block)) => {
                        let position = self.position;
                        let new = block.entries.iter().filter(|entry| entry.event.row.seq > position);
                        new.filter(|entry| self.filter.passes(&entry.event.row))
                            .filter(|entry| is_readable(&self.vpcs, &entry.event.row))
                            .for_each(|entry| add(&mut self.text, entry));
                        self.position = position.max(block.last);
                    }
                    Err(RecvError::Lagged(_)) => self.has_caught_up = false,
                    Ok(News::WentBack) | Err(RecvError::Closed) => return None,
                },
            }
        }
        Some(Bytes::from(std::mem::take(&mut self.text)))
    }

    fn add(&mut self, entry: &Entry) {
        add(&mut self.text, entry);
    }

    /// Keeps the connection alive. A client that sees all VPCs also receives its position, so that it does not read the log
    /// again from its last event; for others the position would show the activity in VPCs that they may not read.
    fn beat(&mut self) {
        match self.vpcs {
            VpcScope::All if self.has_caught_up => {
                self.text.push_str(&format!(":\nid: {}\n\n", self.position));
            }
            _ => self.text.push_str(sse::COMMENT),
        }
    }

    /// True while the caller may read events. An unavailable ledger does not end the stream, an issuer that can't confirm the
    /// token does.
    async fn may_still_read(&mut self) -> bool {
        let authenticated = self.call.authenticate_again().await;
        match authenticated.and_then(|()| self.call.vpcs(Scope::AuditRead)) {
            Ok(vpcs) => {
                self.vpcs = vpcs;
                true
            }
            Err(problem) => problem.is_passing(),
        }
    }
}

fn add(text: &mut String, entry: &Entry) {
    let row = &entry.event.row;
    text.push_str(&sse::line(&row.seq, &row.event, &entry.json));
}

async fn read(call: &Call, vpcs: &VpcScope, filter: &EventFilter, position: i64) -> Result<Page, Problem> {
    let (vpcs, filter) = (vpcs.clone(), filter.clone());
    call.state.ask(|service| async move { service.catch_up(&vpcs, &filter, position).await }).await
}

/// The event after which the stream begins: that of `Last-Event-ID`, which reconnecting clients send, or else of `after`.
fn position(call: &Call, query: &mut Query, newest: i64) -> Option<i64> {
    let expected = || "must be the seq of an event in the log".to_owned();
    let seq = |text: &str| {
        let is_number =
            (1..=MAX_DIGITS).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_digit());
        // A newer event was lost, if it is not of another log.
        text.parse().ok().filter(|seq| is_number && *seq <= newest)
    };
    let after = query.value("after", expected, seq);
    let Some(header) = call.request.headers().get(LAST_EVENT_ID) else { return after };
    let read = header.to_str().ok().and_then(seq);
    query.header(read.ok_or_else(|| Fault::new("header:Last-Event-ID", "invalid", expected())))
}

pub async fn stream(call: Call) -> Result<HttpResponse, Problem> {
    let vpcs = call.vpcs(Scope::AuditRead)?;
    let news = call.state.service.follow_log();
    let newest = call.state.ask(|service| async move { service.newest_seq().await }).await?;
    let mut query = call.query();
    let filter = filter(&mut query);
    let position = position(&call, &mut query, newest);
    query.finish()?;
    if let Some(after) = position {
        missing::check_after(&call.state, after).await?;
    }
    let Lasting { retry, until, heartbeats } = Lasting::of(&call);
    let feed = Feed {
        news,
        vpcs,
        filter,
        position: position.unwrap_or(newest),
        has_caught_up: position.is_none(),
        shutdown: call.state.shutdown.clone(),
        _waiting: call.state.metrics.waits("feed"),
        heartbeats,
        until,
        text: retry,
        call,
    };
    let messages =
        stream::unfold(feed, |mut feed| async move { feed.next().await.map(|text| (Ok(text), feed)) });
    Ok(sse::answer(messages))
}
