//! `tunnelgate serve`.

use std::process::ExitCode;

use sd_notify::NotifyState;
use tracing::warn;

use crate::app::{App, World};
use crate::config::Settings;
use crate::config::args::ServeArgs;
use crate::config::secrets::Secrets;
use crate::shutdown::Shutdown;

use super::Failure;

pub(super) async fn run(args: &ServeArgs, secrets: &Secrets) -> Result<ExitCode, Failure> {
    let settings = Settings::from_args(args, secrets)?;
    let shutdown = Shutdown::new();
    shutdown.at_signals()?;
    let app = App::start(settings, World::default(), shutdown.clone()).await?;
    notify(&NotifyState::Ready);
    tokio::spawn(async move {
        shutdown.requested().await;
        notify(&NotifyState::Stopping);
    });
    app.run().await?;
    Ok(ExitCode::SUCCESS)
}

/// Tells systemd (`Type=notify`) the state of the service. Does nothing without `NOTIFY_SOCKET`.
fn notify(state: &NotifyState<'_>) {
    if let Err(error) = sd_notify::notify(std::slice::from_ref(state)) {
        warn!(%error, "can't notify the service manager");
    }
}
