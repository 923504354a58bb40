//! `tunnelgate sandbox`.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use crate::chance::{Chance, SystemChance};
use crate::config::{duration, edge, listen};
use crate::sandbox::Sandbox;
use crate::shutdown::Shutdown;

use super::{Failure, failure};

#[derive(Debug, clap::Args)]
pub(super) struct Args {
    /// Address and port to listen on; `:8080` means all IPv4 addresses, port 0 picks a free port
    #[arg(long, env = "TUNNELGATE_LISTEN", default_value = "127.0.0.1:8080", value_parser = listen::parse,
          value_name = "ADDRESS")]
    listen: SocketAddr,
    /// Address that callers use, with the path that a proxy adds, e.g. https://net.example.com/tunnelgate [default: answers
    /// name paths]
    #[arg(long, env = "TUNNELGATE_PUBLIC_URL", value_name = "URL")]
    public_url: Option<String>,
    /// Folder of the ledger, kept after the end [default: a temporary folder, removed at the end]
    #[arg(long, value_name = "FOLDER")]
    keep: Option<PathBuf>,
    /// Duration of the simulated cloud's tasks
    #[arg(long, default_value = "2s", value_parser = duration::parse, value_name = "DURATION")]
    task_duration: Duration,
}

pub(super) async fn run(args: &Args) -> Result<ExitCode, Failure> {
    let public_url = edge::public_url(args.public_url.as_deref())?;
    let is_kept = args.keep.is_some();
    let folder = args.keep.clone().unwrap_or_else(|| {
        std::env::temp_dir().join(format!("tunnelgate-sandbox-{:016x}", SystemChance.word()))
    });
    std::fs::create_dir_all(&folder)
        .map_err(|error| Failure::new(&format!("can't create the folder {}", folder.display()), error))?;
    let shutdown = Shutdown::new();
    shutdown.at_signals()?;
    let sandbox = Sandbox::start(args.listen, public_url, &folder, args.task_duration, shutdown).await?;
    failure::print(&sandbox.welcome())?;
    let Sandbox { app, simulator, .. } = sandbox;
    let ran = app.run().await;
    simulator.stop().await;
    if !is_kept {
        // Ignore an error: the operating system cleans the folder for temporary files.
        let _ = std::fs::remove_dir_all(&folder);
    }
    ran?;
    Ok(ExitCode::SUCCESS)
}
