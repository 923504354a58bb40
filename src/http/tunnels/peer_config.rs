//! `GET …/tunnels/{tunnel_id}/peer-config`.

pub mod document;

use actix_web::http::header::ContentType;
use actix_web::{HttpResponse, web};

use crate::domain::peer_config::PeerFormat;
use crate::domain::principal::Scope;
use crate::service::tunnels::{PeerConfigError, TunnelError};

use super::path::Path;
use crate::http::call::Call;
use crate::http::problem::{Problem, ProblemType};

pub async fn peer_config(call: Call, path: web::Path<Path>) -> Result<HttpResponse, Problem> {
    let vpcs = call.vpcs(Scope::TunnelsRead)?;
    let mut query = call.query();
    let expected = || format!("must be one of {}", PeerFormat::WORDS.join(", "));
    let is_given = query.has("format");
    let format = query.value("format", expected, PeerFormat::from_word);
    if !is_given {
        query.fault("format", "required", expected());
    }
    query.finish()?;
    // An invalid id and a VPC outside the caller's scope look like a missing tunnel.
    let path = path.parse(&mut Vec::new()).filter(|path| vpcs.allows(path.vpc_id.as_str()));
    let (path, format) = path.zip(format).ok_or_else(TunnelError::not_found)?;
    let text = call.state.ask(|service| async move { service.peer_config(&path, format).await }).await?;
    Ok(HttpResponse::Ok().content_type(ContentType::plaintext()).body(text))
}

impl From<PeerConfigError> for Problem {
    fn from(error: PeerConfigError) -> Self {
        match error {
            PeerConfigError::Tunnel(error) => error.into(),
            PeerConfigError::NoForm(faults) => {
                Self::of(ProblemType::PeerConfigUnavailable).with_errors(faults)
            }
        }
    }
}
