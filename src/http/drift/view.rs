//! A field with drift, with its tunnel.

use serde::Serialize;
use utoipa::ToSchema;

use crate::domain::drift::FieldDrift;
use crate::http::tunnels::path::PathView;
use crate::service::ledger::OpenDrift;

/// A field that was changed outside of the gateway, with its tunnel.
#[derive(Serialize, ToSchema)]
#[schema(as = TunnelDrift)]
pub struct DriftView<'a> {
    tunnel: PathView<'a>,
    /// The cloud account of the tunnel.
    #[schema(example = "default")]
    account: &'a str,
    #[schema(example = "ap-guangzhou")]
    region: &'a str,
    /// The version of the cloud's API that the tunnel was read with.
    #[schema(example = "2.0")]
    api: &'a str,
    /// The event in the audit log that reported it.
    #[schema(example = 4)]
    seq: i64,
    #[serde(flatten)]
    drift: &'a FieldDrift,
}

impl<'a> From<&'a OpenDrift> for DriftView<'a> {
    fn from(open: &'a OpenDrift) -> Self {
        Self {
            tunnel: PathView::from(&open.tunnel),
            account: &open.route.account,
            region: &open.route.region,
            api: &open.route.api,
            seq: open.seq,
            drift: &open.drift,
        }
    }
}
