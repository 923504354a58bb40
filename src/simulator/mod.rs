//! A simulated cloud, as strict as the real one: it checks signatures, nonces, timestamps, parameters and ids, keeps
//! real state, and has tunnels whose names say how they misbehave. It is a simulation: nothing leaves this machine.

mod behaviour;
mod reads;
mod settings;
mod state;
mod v2;
mod verify;

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use actix_web::dev::ServerHandle;
use actix_web::{App, HttpServer, web};
use secrecy::SecretString;
use tokio::task::JoinHandle;

use crate::chance::Chance;
use crate::clock::Clock;

pub use behaviour::{BEHAVIOURS, Behaviour, SPELT, Spelt};
pub use state::{Entry, Poll};

/// How the simulated cloud is set up.
#[derive(Clone)]
pub struct Options {
    /// Port 0 takes a free one.
    pub listen: SocketAddr,
    pub secret_id: String,
    pub secret_key: SecretString,
    /// Only with temporary credentials.
    pub token: Option<SecretString>,
    /// The host that has to be signed; `None` = the one in the request's `Host`.
    pub signed_host: Option<String>,
    /// How long a task takes.
    pub task_duration: Duration,
}

/// What the server's requests share.
struct Cloud {
    options: Options,
    clock: Arc<dyn Clock>,
    state: Mutex<state::State>,
}

impl Cloud {
    fn state(&self) -> MutexGuard<'_, state::State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A running simulated cloud.
pub struct Simulator {
    pub address: SocketAddr,
    cloud: Arc<Cloud>,
    server: ServerHandle,
    task: JoinHandle<std::io::Result<()>>,
}

/// Starts the simulated cloud.
///
/// # Errors
/// If it can't listen there.
pub async fn start(
    options: Options,
    clock: Arc<dyn Clock>,
    chance: Arc<dyn Chance>,
) -> std::io::Result<Simulator> {
    let listen = options.listen;
    let state = Mutex::new(state::State::new(&*chance));
    let cloud = Arc::new(Cloud { options, clock, state });
    let shared = web::Data::from(cloud.clone());
    let server = HttpServer::new(move || {
        App::new()
            .app_data(shared.clone())
            .route("/v2/index.php", web::route().to(v2::serve))
            .route("/simulator/journal", web::get().to(journal))
            .route("/simulator/health", web::get().to(|| async { "simulated" }))
    })
    .workers(1)
    .disable_signals()
    .bind(listen)?;
    let address = server.addrs().first().copied().unwrap_or(listen);
    let server = server.shutdown_timeout(1).run();
    let handle = server.handle();
    Ok(Simulator { address, cloud, server: handle, task: tokio::spawn(server) })
}

impl Simulator {
    /// Every `ModifyVpnConnEx` that was received so far, oldest first.
    #[must_use]
    pub fn journal(&self) -> Vec<Entry> {
        self.cloud.state().journal.clone()
    }

    /// Every `DescribeVpcTaskResult` that was received so far, oldest first.
    #[must_use]
    pub fn polls(&self) -> Vec<Poll> {
        self.cloud.state().polls.clone()
    }

    /// Stops it; hanging requests are cut off.
    pub async fn stop(self) {
        self.server.stop(false).await;
        let _ = self.task.await;
    }
}

async fn journal(cloud: web::Data<Cloud>) -> web::Json<Vec<Entry>> {
    web::Json(cloud.state().journal.clone())
}
