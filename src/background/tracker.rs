//! The loop around [`crate::service::track`]: claims what is due and looks at it, many operations at a time.

use std::time::Duration;

use tokio::task::JoinSet;
use tracing::{Instrument, error, info, info_span, warn};

use crate::service::Service;
use crate::service::ledger::{Claim, LedgerError};
use crate::shutdown::Shutdown;

/// Operations that one process looks at at the same time. The call budget decides how fast it really goes.
const CONCURRENCY: usize = 32;
/// First and longest wait after the ledger failed.
const FIRST_RETRY: Duration = Duration::from_millis(200);
const LONGEST_RETRY: Duration = Duration::from_secs(5);
/// The shortest sleep, so that clocks that differ a little between replicas can't make the loop spin.
const SHORTEST_SLEEP: Duration = Duration::from_millis(10);

/// Follows operations until the shutdown is requested, then finishes the looks that are under way.
pub async fn run(service: Service, holder: String, shutdown: Shutdown) {
    let mut looks = JoinSet::new();
    let mut retry = FIRST_RETRY;
    info!(holder, "the tracker follows operations");
    while !shutdown.is_requested() {
        while looks.try_join_next().is_some() {}
        let free = CONCURRENCY.saturating_sub(looks.len());
        let wait = match claim(&service, &holder, free).await {
            Ok(Found::Due(claims)) => {
                retry = FIRST_RETRY;
                for claim in claims {
                    looks.spawn(look(service.clone(), claim));
                }
                continue;
            }
            Ok(Found::NothingFor(wait)) => {
                retry = FIRST_RETRY;
                wait.max(SHORTEST_SLEEP)
            }
            Err(error) => {
                warn!(error = crate::causes::chain(&error), "the tracker can't reach the ledger");
                let wait = retry;
                retry = (retry * 2).min(LONGEST_RETRY);
                wait
            }
        };
        tokio::select! {
            () = tokio::time::sleep(wait) => {}
            Some(_) = looks.join_next(), if !looks.is_empty() => {}
            () = shutdown.requested() => {}
        }
    }
    while looks.join_next().await.is_some() {}
    info!("the tracker has stopped");
}

enum Found {
    Due(Vec<Claim>),
    NothingFor(Duration),
}

async fn claim(service: &Service, holder: &str, free: usize) -> Result<Found, LedgerError> {
    if free == 0 {
        // Woken as soon as a look ends.
        return Ok(Found::NothingFor(LONGEST_RETRY));
    }
    let claims = service.claim_due(holder, u32::try_from(free).unwrap_or(1)).await?;
    if claims.is_empty() {
        return Ok(Found::NothingFor(service.until_due().await?));
    }
    Ok(Found::Due(claims))
}

/// One look. Its end is in the ledger; a failure is told here and tried again when the lease is over.
async fn look(service: Service, claim: Claim) {
    let operation = &claim.operation;
    let span =
        info_span!("track", operation_id = %operation.id, request_id = operation.request_id.as_deref());
    async {
        if let Err(error) = service.track(claim).await {
            error!(error = crate::causes::chain(&error), "the look could not be written");
        }
    }
    .instrument(span)
    .await;
}
