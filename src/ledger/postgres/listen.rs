//! Hearing of the steps that other replicas write. It only makes waiting shorter: nothing depends on it.

use std::time::Duration;

use sqlx::postgres::{PgListener, PgPool};
use tokio::sync::broadcast;
use tracing::{debug, warn};

use crate::domain::operation::OperationId;

const FIRST_RETRY: Duration = Duration::from_millis(500);
const LONGEST_RETRY: Duration = Duration::from_secs(30);

/// Passes on what is heard, until the pool is closed; after a failure it begins again.
pub(super) async fn run(pool: PgPool, steps: broadcast::Sender<OperationId>) {
    let mut retry = FIRST_RETRY;
    while !pool.is_closed() {
        if let Err(error) = hear(&pool, &steps, &mut retry).await {
            warn!(
                error = &error as &dyn std::error::Error,
                "not hearing of other replicas' steps; trying again"
            );
        }
        tokio::time::sleep(retry).await;
        retry = (retry * 2).min(LONGEST_RETRY);
    }
}

async fn hear(
    pool: &PgPool,
    steps: &broadcast::Sender<OperationId>,
    retry: &mut Duration,
) -> Result<(), sqlx::Error> {
    let mut listener = PgListener::connect_with(pool).await?;
    listener.listen("tunnelgate_steps").await?;
    *retry = FIRST_RETRY;
    debug!("hearing of other replicas' steps");
    loop {
        let Some(heard) = listener.try_recv().await? else { return Ok(()) };
        if let Ok(operation) = heard.payload().parse() {
            // Nobody may be waiting. What this process wrote is heard twice, which does no harm.
            let _ = steps.send(operation);
        }
    }
}
