//! Everything in one process, for newcomers and tests: a simulated cloud on a loopback port, a SQLite ledger, and one
//! ready API key.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::time::Duration;

use secrecy::{ExposeSecret, SecretString};

use crate::app::{App, StartError, World};
use crate::cloud::v2;
use crate::cloud::v2::sign::SignatureMethod;
use crate::cloud::v2::wire::ParamStyle;
use crate::config::{Database, Settings};
use crate::domain::fingerprint::{FingerprintKey, hex};
use crate::domain::principal::{Grant, Scope, VpcScope};
use crate::http::edge::Edge;
use crate::service::Rules;
use crate::service::keys::{self, NewKey};
use crate::service::ledger::LedgerError;
use crate::shutdown::Shutdown;
use crate::simulator::{self, Simulator};

const SECRET_ID: &str = "AKIDSANDBOX";

/// Why the sandbox could not be started.
#[derive(Debug, thiserror::Error)]
pub enum SandboxError {
    #[error("the simulated cloud could not be started")]
    Simulator(#[source] std::io::Error),
    #[error(transparent)]
    Start(#[from] StartError),
    #[error("the sandbox's API key could not be stored")]
    Key(#[source] LedgerError),
}

/// A sandbox that listens, and has yet to run.
pub struct Sandbox {
    pub app: App,
    pub simulator: Simulator,
    /// Has every scope, for every VPC.
    pub token: SecretString,
}

impl Sandbox {
    /// Starts the parts; the ledger is a file in the folder.
    ///
    /// # Errors
    /// If a part can't be set up.
    pub async fn start(
        listen: SocketAddr,
        folder: &Path,
        task_duration: Duration,
        shutdown: Shutdown,
    ) -> Result<Self, SandboxError> {
        let world = World::default();
        let mut random = [0; 16];
        world.chance.fill(&mut random);
        let secret_key: SecretString = hex(&random).into();
        let options = simulator::Options {
            listen: (Ipv4Addr::LOCALHOST, 0).into(),
            secret_id: SECRET_ID.into(),
            secret_key: secret_key.clone(),
            token: None,
            signed_host: None,
            task_duration,
        };
        let simulator = simulator::start(options, world.clock.clone(), world.chance.clone())
            .await
            .map_err(SandboxError::Simulator)?;
        let settings = settings(listen, folder, simulator.address, secret_key);
        let app = App::start(settings, world.clone(), shutdown).await?;
        let scopes = Scope::ALL.iter().map(|scope| Grant { scope: *scope, vpcs: VpcScope::All });
        let now = world.clock.now();
        // A name of its own each time, because the ledger of an earlier run may be in use again.
        let name = format!("sandbox-{}", &hex(&random)[..8]);
        let NewKey { key, token } = keys::draw(&*world.chance, &name, scopes.collect(), None, now);
        app.ledger.create_key(&key).await.map_err(SandboxError::Key)?;
        Ok(Self { app, simulator, token })
    }

    /// What a newcomer is told, with a curl line that works when pasted.
    #[must_use]
    pub fn welcome(&self) -> String {
        let base = format!("http://{}", self.app.address);
        let token = self.token.expose_secret();
        format!(
            "tunnelgate sandbox: a gateway and a simulated cloud in one process. Nothing leaves this machine.\n\
             \n\
             Console      {base}/\n\
             Swagger UI   {base}/docs/\n\
             API key      {token}\n\
             \n\
             Change a tunnel:\n\
             \n\
             curl -sS -X PATCH {base}/vpcs/vpc-03vihbk9/gateways/vpngw-kfldykuz/tunnels/vpnx-ol6bcqp0 \\\n  \
               -H 'Authorization: Bearer {token}' \\\n  \
               -H 'Content-Type: application/merge-patch+json' \\\n  \
               -d '{{\"peer_cidrs\": [\"10.100.2.0/24\"], \"pre_shared_key\": \"tencenttest\"}}'\n\
             \n\
             Its answer names the operation; some seconds later it has succeeded:\n\
             \n\
             curl -sS -H 'Authorization: Bearer {token}' {base}/operations?limit=1\n\
             curl -sS -H 'Authorization: Bearer {token}' {base}/audit-events\n\
             \n\
             Tunnels that misbehave: vpnx-task-fails, vpnx-reset-after, vpnx-rate-limited-twice, …\n\
             (tunnelgate simulate-cloud --help names them all). Ctrl-C ends it.\n"
        )
    }
}

fn settings(listen: SocketAddr, folder: &Path, cloud: SocketAddr, secret_key: SecretString) -> Settings {
    let fingerprint_key = FingerprintKey::derive(secret_key.expose_secret().as_bytes());
    let upstream_timeout = Duration::from_secs(5);
    Settings {
        listen,
        tls: None,
        edge: Edge::default(),
        database: Database {
            url: format!("sqlite:{}", folder.join("tunnelgate.db").display()).into(),
            connections: 4,
            timeout: Duration::from_secs(5),
        },
        migrate: true,
        upstream: v2::Settings {
            url: format!("http://{cloud}/v2/index.php"),
            signed_host: cloud.to_string(),
            path: "/v2/index.php".into(),
            is_loopback: true,
            credentials: v2::Credentials { secret_id: SECRET_ID.into(), secret_key, token: None },
            region: "ap-guangzhou".into(),
            signature_method: SignatureMethod::HmacSha1,
            param_style: ParamStyle::Indexed,
            timeout: upstream_timeout,
            calls_per_second: 20,
        },
        rules: Rules {
            merge_partial_groups: true,
            upstream_timeout,
            poll_interval: Duration::from_millis(500),
            poll_max_interval: Duration::from_secs(5),
            task_timeout: Duration::from_secs(120),
            // Nobody waits five minutes to see how a lost answer ends.
            settle_window: Duration::from_secs(20),
        },
        fingerprint_key,
        shutdown_delay: Duration::ZERO,
        shutdown_timeout: Duration::from_secs(10),
        workers: Some(1),
    }
}
