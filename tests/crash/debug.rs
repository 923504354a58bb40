//! The `Debug` output of every type with a secret does not contain the secret.

use std::fmt::Debug;
use std::sync::Arc;
use std::time::Duration;
use tunnelgate::domain::api::Api;

use serde_json::json;
use tunnelgate::chance::SystemChance;
use tunnelgate::clock::SystemClock;
use tunnelgate::cloud::v2::sign::{self, SignatureMethod};
use tunnelgate::cloud::v2::wire::ParamStyle;
use tunnelgate::cloud::{self, CloudMetrics, Credentials, Endpoints, Line, Settings};
use tunnelgate::config::args::DatabaseArgs;
use tunnelgate::config::secrets::Secrets;
use tunnelgate::domain::event::{Actor, ActorKind, Origin};
use tunnelgate::domain::fingerprint::FingerprintKey;
use tunnelgate::domain::ids::TunnelPath;
use tunnelgate::domain::patch::Patch;
use tunnelgate::domain::principal::{Principal, VpcScope};
use tunnelgate::domain::secret::PreSharedKey;
use tunnelgate::ledger::SynchronousCommit;
use tunnelgate::metrics::Metrics;
use tunnelgate::service::cloud::TunnelChange;
use tunnelgate::service::modify::Modify;

use crate::alone::Alone;
use crate::search::spellings;

const CANARY: &str = "canary-0123456789";

fn shown(what: &impl Debug) -> String {
    [format!("{what:?}"), format!("{what:#?}")].concat()
}

#[test]
fn nothing_that_carries_a_secret_shows_it() {
    let key = PreSharedKey::parse(CANARY).expect("a key");
    let document = json!({"peer_cidrs": ["10.0.0.0/8"], "pre_shared_key": CANARY});
    let patch = Patch::parse(&document, ParamStyle::Indexed.requirements()).expect("a patch");
    let path = TunnelPath {
        vpc_id: "vpc-1".parse().expect("an id"),
        gateway_id: "vpngw-1".parse().expect("an id"),
        tunnel_id: "vpnx-1".parse().expect("an id"),
    };
    let change = TunnelChange {
        path: path.clone(),
        name: None,
        pre_shared_key: Some(key.clone()),
        ranges: patch.ranges.clone(),
        ike: None,
        ipsec: None,
        dpd: None,
        negotiation_type: None,
        health_check: None,
        customer_gateway_id: None,
        bgp: None,
    };
    let actor = Actor { name: "netops-ci".into(), id: Some("1".into()), kind: ActorKind::ApiKey };
    let principal =
        Principal { id: "1".into(), actor, grants: Vec::new(), expires_at: None, grant_claims: Vec::new() };
    let settings = Settings {
        account: "default".into(),
        vpcs: VpcScope::All,
        api: Api::V2,
        endpoints: Endpoints::default(),
        credentials: Credentials {
            secret_id: CANARY.into(),
            secret_key: CANARY.into(),
            token: Some(CANARY.into()),
        },
        region: "ap-guangzhou".into(),
        signature_method: SignatureMethod::HmacSha1,
        param_style: ParamStyle::Indexed,
        timeout: Duration::from_secs(1),
        calls_per_second: 0,
    };
    let metrics = CloudMetrics::new(&Metrics::default());
    let line = Line::new(
        &settings,
        Arc::new(Alone::default()),
        Arc::new(SystemClock),
        Arc::new(SystemChance),
        metrics,
    );
    let modify = Modify {
        principal,
        cloud: cloud::connect(settings, &line).expect("a client"),
        path,
        patch: patch.clone(),
        origin: Origin::default(),
        idempotency_key: None,
        if_match: None,
        reason: None,
        rollback: None,
    };
    let database = DatabaseArgs {
        database_url: Some(format!("postgres://tunnelgate:{CANARY}@db/tunnelgate").into()),
        database_url_file: None,
        database_connections: 1,
        database_timeout: Duration::from_secs(1),
        synchronous_commit: SynchronousCommit::On,
        allow_plain_database: false,
    };
    let secret =
        Secrets::new([("TENCENTCLOUD_TOKEN".to_owned(), CANARY.to_owned())]).read("TENCENTCLOUD_TOKEN", None);
    let texts = [
        shown(&key),
        shown(&patch),
        shown(&change),
        shown(&modify),
        shown(&database),
        shown(&secret),
        shown(&FingerprintKey::from_setting(CANARY.as_bytes())),
        shown(&sign::form(&[("preSharedKey", CANARY)], "signature")),
    ];
    for text in texts {
        for spelling in spellings(CANARY) {
            assert!(!text.contains(&spelling), "{spelling} is in {text}");
        }
    }
    // The control: the same search in a text that contains the secret.
    assert!(spellings(CANARY).iter().any(|spelling| shown(&CANARY).contains(spelling)));
}
