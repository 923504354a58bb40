//! A ledger for each test, fixed times, and steps to write.

use std::sync::Arc;
use std::time::Duration;

use serde_json::json;
use tunnelgate::chance::{Chance, SystemChance};
use tunnelgate::cloud::v2::wire::ParamStyle;
use tunnelgate::domain::changes::Changes;
use tunnelgate::domain::event::{Actor, ActorKind, Event, EventKind, NewEvent, Origin, Route, Upstream};
use tunnelgate::domain::fingerprint::FingerprintKey;
use tunnelgate::domain::ids::TunnelPath;
use tunnelgate::domain::operation::{ErrorCode, Operation, OperationError, State, Transition};
use tunnelgate::domain::patch::Patch;
use tunnelgate::domain::principal::VpcScope;
use tunnelgate::domain::timestamp::Timestamp;
use tunnelgate::domain::verification::Verification;
use tunnelgate::ledger::{self, Options};
use tunnelgate::metrics::Metrics;
use tunnelgate::service::ledger::{
    Advance, Claim, EventFilter, Idempotency, Ledger, Opening, Order, Places, RequestIdentity, Step, Written,
};

use crate::support::Store;

/// Length of every lease in these tests.
pub const LEASE: Duration = Duration::from_secs(30);

/// A new ledger for one test.
pub struct Harness {
    pub store: Store,
    pub ledger: Arc<dyn Ledger>,
}

pub const OPTIONS: Options = Options { connections: 8, timeout: Duration::from_secs(20), ..Options::DEFAULT };

impl crate::support::OnLedger for Harness {
    async fn on(store: crate::support::Store) -> Self {
        Self::open(store).await
    }
}

impl Harness {
    pub async fn open(store: Store) -> Self {
        let ledger = open_replica(&store).await;
        Self { store, ledger }
    }

    /// Writes an opening, which must succeed.
    pub async fn opened(&self, opening: Opening) -> Operation {
        let operation = opening.operation.clone();
        let written = self.ledger.write(Step::Open(Box::new(opening))).await.expect("written");
        assert_eq!(written, Written::Opened);
        operation
    }

    /// Writes an advance, which must succeed.
    pub async fn advanced(&self, advance: Advance) -> Operation {
        match self.ledger.write(Step::Advance(Box::new(advance))).await.expect("written") {
            Written::Advanced(operation) => *operation,
            other => panic!("not advanced: {other:?}"),
        }
    }

    /// Opens an operation and moves it to `running`.
    pub async fn running(&self, tunnel: &str, now: Timestamp) -> Operation {
        let operation = self.opened(opening(tunnel, now)).await;
        self.advanced(advance(operation, submit(), 0, now)).await
    }

    pub async fn claim(&self, now: Timestamp, limit: u32) -> Vec<Claim> {
        self.claim_by(now, Places { youngest: 0, oldest: limit }).await
    }

    pub async fn claim_by(&self, now: Timestamp, places: Places) -> Vec<Claim> {
        self.ledger.claim("test", now, now.plus(LEASE), places).await.expect("claims")
    }

    /// Every event, oldest first.
    pub async fn events(&self) -> Vec<Event> {
        let filter = EventFilter::default();
        self.ledger.events(&VpcScope::All, &filter, Order::OldestFirst, None, 100_000).await.expect("events")
    }

    pub async fn kinds(&self) -> Vec<String> {
        self.events().await.into_iter().map(|event| event.row.event).collect()
    }
}

/// Opens the store as another replica does.
pub async fn open_replica(store: &Store) -> Arc<dyn Ledger> {
    ledger::open(store.url(), OPTIONS, &Metrics::default()).await.expect("a ledger")
}

/// A fixed start time plus `seconds`.
pub fn at(seconds: u64) -> Timestamp {
    Timestamp::parse("2026-03-01T12:00:00.123456Z").expect("a moment").plus(Duration::from_secs(seconds))
}

pub fn path(vpc: &str, tunnel: &str) -> TunnelPath {
    TunnelPath {
        vpc_id: vpc.parse().expect("an id"),
        gateway_id: "vpngw-1".parse().expect("an id"),
        tunnel_id: tunnel.parse().expect("an id"),
    }
}

pub fn changes() -> Changes {
    let document = json!({
        "peer_cidrs": ["10.100.2.0/24"], "pre_shared_key": "tencenttest", "name": "größe \u{1F510} \"\\",
    });
    let patch = Patch::parse(&document, ParamStyle::Indexed.requirements()).expect("a patch");
    Changes::of(&patch, &FingerprintKey::derive(b"test"))
}

/// What the tunnel had before.
pub fn before() -> Changes {
    let members = json!({"peer_cidrs": ["10.100.1.0/24"], "name": "größe"});
    serde_json::from_value(members).expect("an object")
}

pub fn actor(name: &str) -> Actor {
    Actor { name: name.into(), id: Some(format!("id of {name}")), kind: ActorKind::ApiKey }
}

pub fn opening_in(vpc: &str, tunnel: &str, requester: &str, now: Timestamp) -> Opening {
    Opening {
        operation: Operation {
            id: SystemChance.id(now),
            tunnel: path(vpc, tunnel),
            route: Route { account: "default".into(), region: "ap-guangzhou".into(), api: "2.0".into() },
            changes: changes(),
            before: Some(before()),
            fingerprint_key_id: Some("a key".into()),
            reason: Some("CHG-4711 größe".into()),
            rollback_of: Some(SystemChance.id(now)),
            requested_by: actor(requester),
            request_id: Some("req-1".into()),
            trace_id: Some("4bf92f3577b34da6a3ce929d0e0e4736".into()),
            created_at: now,
            updated_at: now,
            finished_at: None,
            state: State::Pending,
        },
        origin: origin(),
        event_id: SystemChance.id(now),
        lock_id: format!("{vpc}/{tunnel}"),
        read_seq: None,
        idempotency: None,
        lease_until: now.plus(LEASE),
    }
}

pub fn opening(tunnel: &str, now: Timestamp) -> Opening {
    opening_in("vpc-1", tunnel, "netops", now)
}

pub fn origin() -> Origin {
    Origin {
        source_ip: Some("2001:db8::7".parse().expect("an address")),
        user_agent: Some("curl/8".into()),
        request_id: Some("req-1".into()),
        trace_id: Some("4bf92f3577b34da6a3ce929d0e0e4736".into()),
    }
}

pub fn with_key(mut opening: Opening, key: &str, fingerprint: u8) -> Opening {
    opening.idempotency = Some(Idempotency {
        principal_id: "key:1".into(),
        key: key.into(),
        request: RequestIdentity { sha256: vec![fingerprint; 32], secret: None },
    });
    opening
}

pub fn advance(operation: Operation, transition: Transition, fence: i64, now: Timestamp) -> Advance {
    Advance {
        operation,
        transition,
        upstream: Some(Upstream {
            action: Some("ModifyVpnConnEx".into()),
            code: Some("0".into()),
            message: Some("größe <&> \u{1F510}".into()),
            latency_ms: Some(41),
            attempts: Some(1),
            ..Upstream::default()
        }),
        origin: origin(),
        sent: Some(json!({"userGwCidrBlock.0": "10.100.2.0/24"})),
        event_id: SystemChance.id(now),
        fence,
        now,
        due_at: now,
    }
}

pub fn submit() -> Transition {
    Transition::Submit { task_id: "12614".into() }
}

pub fn succeed() -> Transition {
    Transition::Succeed { verification: Verification::Confirmed }
}

pub fn error(code: ErrorCode) -> OperationError {
    OperationError { code, detail: "why".into(), upstream: None }
}

pub fn denied(now: Timestamp, actor: &str) -> NewEvent {
    NewEvent {
        origin: origin(),
        tunnel: Some(path("vpc-1", "vpnx-1")),
        ..NewEvent::new(SystemChance.id(now), EventKind::Denied, self::actor(actor), now)
    }
}
