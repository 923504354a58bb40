//! `tunnelgate simulate-cloud`.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use crate::chance::SystemChance;
use crate::clock::SystemClock;
use crate::config::secrets::Secrets;
use crate::config::{InvalidSetting, duration};
use crate::shutdown::Shutdown;
use crate::simulator::{self, BEHAVIOURS, SPELT};

use super::{Failure, failure};

#[derive(Debug, clap::Args)]
#[command(after_help = misbehaving())]
pub(super) struct Args {
    /// The address to listen on
    #[arg(
        long,
        env = "TUNNELGATE_SIMULATOR_LISTEN",
        default_value = "127.0.0.1:9090",
        value_name = "ADDRESS"
    )]
    listen: SocketAddr,
    /// The SecretId that it knows. The SecretKey and the Token come from TENCENTCLOUD_SECRET_KEY and
    /// TENCENTCLOUD_TOKEN, or from the files that …_FILE names
    #[arg(long, env = "TENCENTCLOUD_SECRET_ID", hide_env_values = true, value_name = "ID")]
    secret_id: String,
    /// A file that holds TENCENTCLOUD_SECRET_KEY
    #[arg(long, env = "TENCENTCLOUD_SECRET_KEY_FILE", value_name = "FILE")]
    secret_key_file: Option<PathBuf>,
    /// The host that calls have to be signed for [default: the one in their Host header]
    #[arg(long, env = "TUNNELGATE_SIGNED_HOST", value_name = "HOST")]
    signed_host: Option<String>,
    /// How long tasks take
    #[arg(long, env = "TUNNELGATE_SIMULATOR_TASK_DURATION", default_value = "3s", value_parser = duration::parse,
          value_name = "DURATION")]
    task_duration: Duration,
}

fn misbehaving() -> String {
    let mut text = String::from("Tunnels that misbehave, below vpc-03vihbk9 and vpngw-kfldykuz:\n");
    for (behaviour, what) in BEHAVIOURS {
        text.push_str(&format!("  vpnx-{:<22}{what}\n", behaviour.as_str()));
    }
    text.push_str("And those whose name spells out the answer:\n");
    for (name, what) in SPELT {
        text.push_str(&format!("  {name:<31}{what}\n"));
    }
    text.push_str(
        "Ordinary ones: vpnx-ol6bcqp0, vpnx-branch01, vpnx-branch02, vpnx-load-N for any number N;\n",
    );
    text.push_str("vpnx-prod1 below vpc-prod-1 and vpngw-prod1.");
    text
}

pub(super) async fn run(args: &Args, secrets: &Secrets) -> Result<ExitCode, Failure> {
    let secret_key =
        secrets.read("TENCENTCLOUD_SECRET_KEY", args.secret_key_file.as_deref())?.ok_or_else(|| {
            InvalidSetting::new("TENCENTCLOUD_SECRET_KEY", "is required (any value: it is a simulation)")
        })?;
    let options = simulator::Options {
        listen: args.listen,
        secret_id: args.secret_id.clone(),
        secret_key,
        token: secrets.read("TENCENTCLOUD_TOKEN", None)?,
        signed_host: args.signed_host.clone(),
        task_duration: args.task_duration,
    };
    let shutdown = Shutdown::new();
    shutdown.at_signals()?;
    let simulator = simulator::start(options, Arc::new(SystemClock), Arc::new(SystemChance))
        .await
        .map_err(|error| Failure::new(&format!("can't listen on {}", args.listen), error))?;
    let address = simulator.address;
    failure::print(&format!(
        "SIMULATED cloud, not the real one: listening on http://{address}\n\
         TUNNELGATE_UPSTREAM_URL=http://{address}/v2/index.php\n"
    ))?;
    shutdown.requested().await;
    simulator.stop().await;
    Ok(ExitCode::SUCCESS)
}
