//! The gateway in one process with a simulated cloud on a loopback port, a SQLite ledger and one API key, for a first
//! try and for tests.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::time::Duration;

use secrecy::{ExposeSecret, SecretString};

use crate::app::{App, StartError, World};
use crate::cloud::v2::sign::SignatureMethod;
use crate::cloud::v2::wire::ParamStyle;
use crate::cloud::{self, Credentials, Endpoints};
use crate::config::{Database, Settings};
use crate::domain::api::Api;
use crate::domain::event::EventKind;
use crate::domain::fingerprint::{FingerprintKey, hex};
use crate::domain::principal::{Grant, Scope, VpcScope};
use crate::http::edge::{Edge, PublicUrl};
use crate::ledger::SynchronousCommit;
use crate::service::keys::{self, NewKey};
use crate::service::ledger::LedgerError;
use crate::service::{ReadBefore, Rules};
use crate::shutdown::Shutdown;
use crate::simulator::{self, Simulator};

const SECRET_ID: &str = "AKIDSANDBOX";
/// The VPCs of the account that speaks API 3.0. The other account serves all others.
const API_3_VPCS: &str = "vpc-prod-*";

/// Why the sandbox did not start.
#[derive(Debug, thiserror::Error)]
pub enum SandboxError {
    #[error("can't start the simulated cloud")]
    Simulator(#[source] std::io::Error),
    #[error(transparent)]
    Start(#[from] StartError),
    #[error("can't store the sandbox's API key")]
    Key(#[source] LedgerError),
}

/// A sandbox that listens on its port; [`App::run`] serves requests.
pub struct Sandbox {
    pub app: App,
    pub simulator: Simulator,
    /// Token of a key with every scope in every VPC.
    pub token: SecretString,
    /// The address that callers use, if it is not the one of the port.
    public_url: Option<PublicUrl>,
}

impl Sandbox {
    /// Starts the simulated cloud and the gateway, with the ledger in `folder`.
    ///
    /// # Errors
    /// If one of them does not start.
    pub async fn start(
        listen: SocketAddr,
        public_url: Option<PublicUrl>,
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
        let edge = Edge { public_url: public_url.clone(), ..Edge::default() };
        let settings = settings(listen, edge, folder, simulator.address, secret_key);
        let app = App::start(settings, world.clone(), shutdown).await?;
        let scopes = Scope::ALL.iter().map(|scope| Grant { scope: *scope, vpcs: VpcScope::All });
        let now = world.clock.now();
        // A random name, because a kept ledger contains the keys of earlier runs.
        let name = format!("sandbox-{}", &hex(&random)[..8]);
        let NewKey { key, token } = keys::draw(&*world.chance, &name, scopes.collect(), None, now);
        let event = keys::event(EventKind::KeyCreated, &key, world.chance.id(now), now);
        app.ledger.create_key(&key, event).await.map_err(SandboxError::Key)?;
        Ok(Self { app, simulator, token, public_url })
    }

    /// The text to print at the start. Its curl lines work when pasted into bash, zsh or fish: every URL is quoted, and no
    /// quoted text contains a single quote or a backslash.
    #[must_use]
    pub fn welcome(&self) -> String {
        let base = match &self.public_url {
            Some(public) => public.to_string(),
            None => format!("http://{}", self.app.address),
        };
        let token = self.token.expose_secret();
        let key = simulator::FIRST_KEY;
        format!(
            "tunnelgate sandbox: the gateway and a simulated cloud in one process. Nothing leaves this machine.\n\
             \n\
             Console      {base}/\n\
             Swagger UI   {base}/docs/\n\
             API key      {token}\n\
             \n\
             Change a tunnel:\n\
             \n\
             curl -sS -X PATCH '{base}/vpcs/vpc-03vihbk9/gateways/vpngw-kfldykuz/tunnels/vpnx-ol6bcqp0' \\\n  \
               -H 'Authorization: Bearer {token}' \\\n  \
               -H 'Content-Type: application/merge-patch+json' \\\n  \
               -d '{{\"peer_cidrs\": [\"10.100.2.0/24\"], \"pre_shared_key\": \"tencenttest\"}}'\n\
             \n\
             The response contains the operation. After a few seconds its status is `succeeded`:\n\
             \n\
             curl -sS -H 'Authorization: Bearer {token}' '{base}/operations?limit=1'\n\
             \n\
             Read its steps in the audit log:\n\
             \n\
             curl -sS -H 'Authorization: Bearer {token}' '{base}/audit-events'\n\
             \n\
             Roll the change back, with the key that the tunnel had before:\n\
             \n\
             curl -sS -H 'Authorization: Bearer {token}' '{base}/operations?limit=1&status=succeeded' \\\n  \
               | grep -oE '[0-9a-f-]{{36}}' | head -n 1 \\\n  \
               | xargs -I ID curl -sS -X POST '{base}/operations/ID/rollback' \\\n  \
               -H 'Authorization: Bearer {token}' \\\n  \
               -H 'Content-Type: application/json' \\\n  \
               -d '{{\"pre_shared_key\": \"{key}\"}}'\n\
             \n\
             Change a tunnel of another account, which uses API 3.0. The call is the same, with more fields:\n\
             \n\
             curl -sS -X PATCH '{base}/vpcs/vpc-prod-1/gateways/vpngw-prod1/tunnels/vpnx-prod1' \\\n  \
               -H 'Authorization: Bearer {token}' \\\n  \
               -H 'Content-Type: application/merge-patch+json' \\\n  \
               -d '{{\"ike\": {{\"version\": \"ikev2\"}}, \"dpd\": {{\"enabled\": true, \"action\": \"restart\"}}}}'\n\
             \n\
             Tunnels with simulated faults: vpnx-task-fails, vpnx-reset-after, vpnx-rate-limited-twice, …\n\
             `tunnelgate simulate-cloud --help` lists them all. Ctrl-C stops the sandbox.\n"
        )
    }
}

/// An account of each version of the cloud's API, over the same simulated tunnels.
fn accounts(simulated: SocketAddr, secret_key: SecretString) -> Vec<cloud::Settings> {
    let api_2 = cloud::Settings {
        account: "api-2".into(),
        vpcs: VpcScope::All,
        api: Api::V2,
        endpoints: Endpoints::simulated(simulated),
        credentials: Credentials { secret_id: SECRET_ID.into(), secret_key, token: None },
        region: "ap-guangzhou".into(),
        signature_method: SignatureMethod::HmacSha1,
        param_style: ParamStyle::Indexed,
        timeout: Duration::from_secs(5),
        calls_per_second: 20,
    };
    let api_3 = cloud::Settings {
        account: "api-3".into(),
        vpcs: VpcScope::Matching(API_3_VPCS.parse().into_iter().collect()),
        api: Api::V3,
        region: "ap-shanghai".into(),
        ..api_2.clone()
    };
    vec![api_3, api_2]
}

fn settings(
    listen: SocketAddr,
    edge: Edge,
    folder: &Path,
    simulated: SocketAddr,
    secret_key: SecretString,
) -> Settings {
    let fingerprint_key = FingerprintKey::derive(secret_key.expose_secret().as_bytes());
    Settings {
        listen,
        tls: None,
        edge,
        database: Database {
            url: format!("sqlite:{}", folder.join("tunnelgate.db").display()).into(),
            connections: 4,
            timeout: Duration::from_secs(5),
            synchronous_commit: SynchronousCommit::On,
            allow_plain: false,
            witness: None,
        },
        migrate: true,
        accounts: accounts(simulated, secret_key),
        issuers: Vec::new(),
        drift: None,
        webhooks: Vec::new(),
        source: None,
        rules: Rules {
            merge_partial_groups: true,
            read_before: ReadBefore::Always,
            require_reason: None,
            poll_interval: Duration::from_millis(500),
            poll_max_interval: Duration::from_secs(5),
            task_timeout: Duration::from_secs(120),
            // Short, so that a lost response is settled while the user watches.
            settle_window: Duration::from_secs(20),
        },
        fingerprint_key,
        shutdown_delay: Duration::ZERO,
        shutdown_timeout: Duration::from_secs(10),
        tracing: None,
        workers: Some(1),
        max_connections: 1000,
    }
}
