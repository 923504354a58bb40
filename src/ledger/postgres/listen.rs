//! Notifications of steps that other replicas write. They only shorten waits; a lost notification does no harm.

use std::panic::AssertUnwindSafe;
use std::time::Duration;

use futures_util::FutureExt;
use sqlx::postgres::{PgConnectOptions, PgListener, PgPoolOptions};
use tokio::sync::broadcast;
use tokio::time::timeout;
use tracing::{debug, error, warn};

use crate::domain::operation::OperationId;
use crate::failpoint;

use super::late::no_answer;
use super::primary::Primary;

const FIRST_RETRY: Duration = Duration::from_millis(500);
const LONGEST_RETRY: Duration = Duration::from_secs(30);
/// Without a notification for this long, the listener pings the connection.
const PING_AFTER: Duration = Duration::from_secs(15);

/// Ids in one notification. PostgreSQL limits a payload to 7999 bytes.
const IDS: usize = 200;

/// The payloads that announce these operations.
pub(super) fn payloads(operations: &[OperationId]) -> impl Iterator<Item = String> {
    operations.chunks(IDS).map(|ids| ids.iter().map(OperationId::to_string).collect::<Vec<_>>().join(","))
}

/// Forwards notifications for ever; reconnects after a failure or a panic, and when another server is the primary.
pub(super) async fn run(mut primary: Primary, limit: Duration, steps: broadcast::Sender<OperationId>) {
    let mut retry = FIRST_RETRY;
    loop {
        let connect = primary.connect();
        let forwarding = AssertUnwindSafe(forward(&connect, limit, &steps, &mut retry)).catch_unwind();
        let forwarded = tokio::select! {
            forwarded = forwarding => forwarded,
            () = primary.changed() => Ok(Ok(())),
        };
        match forwarded {
            Ok(Ok(())) => {}
            Ok(Err(error)) => warn!(
                error = crate::causes::chain(&error),
                "notifications of other replicas' steps failed; reconnecting"
            ),
            // The panic hook has logged the place.
            Err(_) => error!("notifications of other replicas' steps crashed; reconnecting"),
        }
        tokio::select! {
            () = tokio::time::sleep(retry) => retry = (retry * 2).min(LONGEST_RETRY),
            () = primary.changed() => retry = FIRST_RETRY,
        }
    }
}

async fn forward(
    connect: &PgConnectOptions,
    limit: Duration,
    steps: &broadcast::Sender<OperationId>,
    retry: &mut Duration,
) -> Result<(), sqlx::Error> {
    // A separate pool: a dead connection must not occupy a place in another pool.
    let pool = PgPoolOptions::new().max_connections(1).acquire_timeout(limit).max_lifetime(None);
    let pool = pool.idle_timeout(None).connect_lazy_with(connect.clone());
    let mut listener = PgListener::connect_with(&pool).await?;
    within(limit, listener.listen("tunnelgate_steps")).await?;
    failpoint::at!("listen.connected");
    *retry = FIRST_RETRY;
    debug!("receiving notifications of other replicas' steps");
    loop {
        match timeout(PING_AFTER, listener.try_recv()).await {
            Ok(Ok(Some(notification))) => {
                for operation in notification.payload().split(',').filter_map(|id| id.parse().ok()) {
                    // There may be no receiver. This process also receives its own steps, a second time.
                    let _ = steps.send(operation);
                }
            }
            Ok(Ok(None)) => return Ok(()),
            Ok(Err(error)) => return Err(error),
            Err(_) => {
                within(limit, async { sqlx::query("SELECT 1").execute(&mut listener).await.map(drop) })
                    .await?;
            }
        }
    }
}

async fn within<T>(
    limit: Duration,
    work: impl Future<Output = Result<T, sqlx::Error>>,
) -> Result<T, sqlx::Error> {
    timeout(limit, work).await.unwrap_or_else(|_| Err(no_answer(limit)))
}
