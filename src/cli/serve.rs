//! `tunnelgate serve`.

use std::process::ExitCode;

use sd_notify::NotifyState;
use tokio::runtime::Handle;
use tracing::warn;

use crate::app::{App, World};
use crate::config::Settings;
use crate::config::args::ServeArgs;
use crate::config::secrets::Secrets;
use crate::shutdown::Shutdown;
use crate::telemetry::Export;

use super::Failure;

pub(super) async fn run(args: &ServeArgs, secrets: &Secrets) -> Result<ExitCode, Failure> {
    let settings = Settings::from_args(args, secrets)?;
    let export =
        settings.tracing.as_ref().map(|tracing| Export::start(tracing, &Handle::current())).transpose()?;
    let shutdown = Shutdown::new();
    shutdown.at_signals()?;
    let app = App::start(settings, World::default(), shutdown.clone()).await?;
    if let Some(export) = &export {
        export.register(&app.metrics);
    }
    notify(&NotifyState::Ready);
    tokio::spawn(async move {
        shutdown.requested().await;
        notify(&NotifyState::Stopping);
    });
    let served = app.run().await;
    if let Some(export) = export {
        // Blocks until the last spans are exported.
        let _ = tokio::task::spawn_blocking(move || export.finish()).await;
    }
    served?;
    Ok(ExitCode::SUCCESS)
}

/// Tells systemd (`Type=notify`) the state of the service. Does nothing without `NOTIFY_SOCKET`.
fn notify(state: &NotifyState<'_>) {
    if let Err(error) = sd_notify::notify(std::slice::from_ref(state)) {
        warn!(%error, "can't notify the service manager");
    }
}
