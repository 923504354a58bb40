//! `tunnelgate serve`.

use std::process::ExitCode;

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
    let app = App::start(settings, World::default(), shutdown).await?;
    app.run().await?;
    Ok(ExitCode::SUCCESS)
}
