//! `tunnelgate simulate-cloud`.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use crate::chance::SystemChance;
use crate::clock::SystemClock;
use crate::config::secrets::Secrets;
use crate::config::{InvalidSetting, duration, listen};
use crate::shutdown::Shutdown;
use crate::simulator::{self, BEHAVIOURS, SPELT};

use super::{Failure, failure};

#[derive(Debug, clap::Args)]
#[command(after_help = tunnels())]
pub(super) struct Args {
    /// Address and port to listen on; `:8080` means all IPv4 addresses, port 0 picks a free port
    #[arg(
        long,
        env = "TUNNELGATE_SIMULATOR_LISTEN",
        default_value = "127.0.0.1:9090",
        value_parser = listen::parse,
        value_name = "ADDRESS"
    )]
    listen: SocketAddr,
    /// SecretId that the simulated cloud accepts. SecretKey and Token have no flag: set TENCENTCLOUD_SECRET_KEY and
    /// TENCENTCLOUD_TOKEN, or the same names with _FILE
    #[arg(long, env = "TENCENTCLOUD_SECRET_ID", hide_env_values = true, value_name = "ID")]
    secret_id: String,
    /// File that contains TENCENTCLOUD_SECRET_KEY. Several keys, one a line, are all accepted, as while keys rotate
    #[arg(long, env = "TENCENTCLOUD_SECRET_KEY_FILE", value_name = "FILE")]
    secret_key_file: Option<PathBuf>,
    /// Host name that signatures must contain [default: the Host header of each call]
    #[arg(long, env = "TUNNELGATE_SIGNED_HOST", value_name = "HOST")]
    signed_host: Option<String>,
    /// Duration of tasks
    #[arg(long, env = "TUNNELGATE_SIMULATOR_TASK_DURATION", default_value = "3s", value_parser = duration::parse,
          value_name = "DURATION")]
    task_duration: Duration,
}

fn tunnels() -> String {
    let mut text = String::from("Tunnels with simulated faults, in vpc-03vihbk9 and vpngw-kfldykuz:\n");
    for (behaviour, what) in BEHAVIOURS {
        text.push_str(&format!("  vpnx-{:<22}{what}\n", behaviour.as_str()));
    }
    text.push_str("Tunnels whose id contains the response to a change:\n");
    for (name, what) in SPELT {
        text.push_str(&format!("  {name:<31}{what}\n"));
    }
    text.push_str(
        "Tunnels without faults: vpnx-ol6bcqp0, vpnx-branch01, vpnx-branch02, vpnx-load-N for any number N;\n\
         vpnx-load-N-1 to vpnx-load-N-50 in vpngw-load-N for any number N;\n",
    );
    text.push_str("vpnx-prod1 in vpc-prod-1 and vpngw-prod1.");
    text
}

pub(super) async fn run(args: &Args, secrets: &Secrets) -> Result<ExitCode, Failure> {
    let secret_key =
        secrets.read("TENCENTCLOUD_SECRET_KEY", args.secret_key_file.as_deref())?.ok_or_else(|| {
            InvalidSetting::new(
                "TENCENTCLOUD_SECRET_KEY",
                "is required; any value works, because the cloud is simulated",
            )
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
        "SIMULATED cloud, not Tencent Cloud: listening on http://{address}\n\
         API 2.0 at /v2/index.php and API 3.0 at /, over the same tunnels\n\
         TUNNELGATE_UPSTREAM_URL=http://{address}/v2/index.php\n"
    ))?;
    shutdown.requested().await;
    simulator.stop().await;
    Ok(ExitCode::SUCCESS)
}
