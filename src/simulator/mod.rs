//! A simulated cloud, as strict as the real one: it checks signatures, nonces, timestamps, parameters and ids, keeps
//! the state of its tunnels, and has tunnels whose ids say how they misbehave. Both versions of the API show and change
//! the same tunnels. It makes no calls of its own, and uses none of the gateway's code for the cloud's API, so that each
//! side checks the other.

mod answer;
mod behaviour;
mod by_hand;
mod change;
mod cloud;
mod fields;
mod mishap;
mod state;
mod tunnel;
pub mod v2;
pub mod v3;
mod words;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use actix_web::dev::ServerHandle;
use actix_web::{App, HttpResponse, HttpServer, web};
use tokio::task::JoinHandle;

use crate::chance::Chance;
use crate::clock::Clock;

use cloud::Cloud;

pub use behaviour::{BEHAVIOURS, Behaviour, Lists, SPELT, Spelt};
pub use by_hand::ByHand;
pub use cloud::Options;
pub use state::{Entry, Poll};
pub use tunnel::FIRST_KEY;

/// Limit of idle connections. A change that a client sends into a connection that is closing has an unknown outcome, so the
/// limit is longer than that of the gateway.
const KEEP_ALIVE: Duration = Duration::from_secs(75);

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
/// If `options.listen` is not available.
pub async fn start(
    options: Options,
    clock: Arc<dyn Clock>,
    chance: Arc<dyn Chance>,
) -> std::io::Result<Simulator> {
    let listen = options.listen;
    let cloud = Arc::new(Cloud::new(options, clock, chance));
    let shared = web::Data::from(cloud.clone());
    let server = HttpServer::new(move || {
        App::new()
            .app_data(shared.clone())
            .route("/v2/index.php", web::route().to(v2::serve))
            .route("/", web::route().to(v3::serve))
            .route("/simulator/journal", web::get().to(journal))
            .route("/simulator/tunnels/{id}", web::patch().to(by_hand))
            .route("/simulator/health", web::get().to(|| async { "simulated" }))
    })
    .workers(1)
    .keep_alive(KEEP_ALIVE)
    .disable_signals()
    .bind(listen)?;
    let address = server.addrs().first().copied().unwrap_or(listen);
    let server = server.shutdown_timeout(1).run();
    let handle = server.handle();
    Ok(Simulator { address, cloud, server: handle, task: tokio::spawn(server) })
}

impl Simulator {
    /// Every change received so far, oldest first.
    #[must_use]
    pub fn journal(&self) -> Vec<Entry> {
        self.cloud.state().journal.clone()
    }

    /// Every `DescribeVpcTaskResult` received so far, oldest first.
    #[must_use]
    pub fn polls(&self) -> Vec<Poll> {
        self.cloud.state().polls.clone()
    }

    /// Changes a tunnel at once, as people do in the cloud's own console; false if there is no such tunnel.
    pub fn change_by_hand(&self, tunnel_id: &str, hand: ByHand) -> bool {
        by_hand::change(&self.cloud, tunnel_id, hand)
    }

    /// From now on the credentials may list the tunnels of a gateway, and not all tunnels of the account: rights can be
    /// limited to some gateways.
    pub fn limit_lists_to_gateways(&self) {
        self.cloud.state().may_list_gateways_only = true;
    }

    /// The number of pages of lists that got no answer ([`ByHand::silent_pages`]).
    #[must_use]
    pub fn silent_pages(&self) -> usize {
        self.cloud.state().silent_pages
    }

    /// Answers the lists of tunnels in this way from now on.
    pub fn answer_lists(&self, lists: Lists) {
        self.cloud.state().lists = lists;
    }

    /// Stops the server and cuts off open requests.
    pub async fn stop(self) {
        self.server.stop(false).await;
        let _ = self.task.await;
    }
}

async fn journal(cloud: web::Data<Cloud>) -> web::Json<Vec<Entry>> {
    web::Json(cloud.state().journal.clone())
}

async fn by_hand(cloud: web::Data<Cloud>, id: web::Path<String>, hand: web::Json<ByHand>) -> HttpResponse {
    match by_hand::change(&cloud, &id, hand.into_inner()) {
        true => HttpResponse::NoContent().finish(),
        false => HttpResponse::NotFound().finish(),
    }
}
