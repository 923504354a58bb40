//! Hearing of the steps that other replicas write. It only makes waiting shorter: nothing depends on it.

use std::time::Duration;

use sqlx::postgres::{PgConnectOptions, PgListener, PgPoolOptions};
use tokio::sync::broadcast;
use tokio::time::timeout;
use tracing::{debug, warn};

use crate::domain::operation::OperationId;

const FIRST_RETRY: Duration = Duration::from_millis(500);
const LONGEST_RETRY: Duration = Duration::from_secs(30);
/// After so much silence the connection is asked whether it still leads anywhere.
const SILENCE: Duration = Duration::from_secs(15);

/// Ids in one notification: PostgreSQL takes less than 8000 bytes.
const IDS: usize = 200;

/// What is told of a batch: its operations' ids, in as few notifications as may be.
pub(super) fn notices(operations: &[OperationId]) -> impl Iterator<Item = String> {
    operations.chunks(IDS).map(|ids| ids.iter().map(OperationId::to_string).collect::<Vec<_>>().join(","))
}

/// Passes on what is heard; after a failure it begins again.
pub(super) async fn run(connect: PgConnectOptions, limit: Duration, steps: broadcast::Sender<OperationId>) {
    let mut retry = FIRST_RETRY;
    loop {
        if let Err(error) = hear(&connect, limit, &steps, &mut retry).await {
            warn!(error = crate::causes::chain(&error), "not hearing of other replicas' steps; trying again");
        }
        tokio::time::sleep(retry).await;
        retry = (retry * 2).min(LONGEST_RETRY);
    }
}

async fn hear(
    connect: &PgConnectOptions,
    limit: Duration,
    steps: &broadcast::Sender<OperationId>,
    retry: &mut Duration,
) -> Result<(), sqlx::Error> {
    // A pool for this one connection, so that a dead one takes no other's place.
    let pool = PgPoolOptions::new().max_connections(1).acquire_timeout(limit).max_lifetime(None);
    let pool = pool.idle_timeout(None).connect_lazy_with(connect.clone());
    let mut listener = PgListener::connect_with(&pool).await?;
    within(limit, listener.listen("tunnelgate_steps")).await?;
    *retry = FIRST_RETRY;
    debug!("hearing of other replicas' steps");
    loop {
        match timeout(SILENCE, listener.try_recv()).await {
            Ok(Ok(Some(heard))) => {
                for operation in heard.payload().split(',').filter_map(|id| id.parse().ok()) {
                    // Nobody may be waiting. What this process wrote is heard twice, which does no harm.
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
    timeout(limit, work).await.unwrap_or(Err(sqlx::Error::PoolTimedOut))
}
