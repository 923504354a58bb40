//! Requests of a proxy that passes the public URL's path on instead of stripping it.

use actix_web::body::MessageBody;
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::http::Uri;
use actix_web::http::uri::PathAndQuery;
use actix_web::middleware::Next;
use actix_web::{Error, web};
use percent_encoding::percent_decode_str;

use super::public_url::PublicUrl;
use crate::http::state::HttpState;

/// Served at their own paths only. A proxy that strips the path and denies one of these must not let it through when a
/// caller writes the path twice.
const OPERATORS_PATHS: &[&str] = &["/livez", "/readyz", "/metrics"];

/// Middleware: removes the public URL's path from the request's path.
pub async fn unprefixed(
    mut request: ServiceRequest,
    next: Next<impl MessageBody>,
) -> Result<ServiceResponse<impl MessageBody>, Error> {
    let state = request.app_data::<web::Data<HttpState>>();
    let public = state.and_then(|state| state.edge.public_url.as_ref());
    if let Some(uri) = public.and_then(|public| inner(public, request.uri())) {
        request.match_info_mut().get_mut().update(&uri);
        request.head_mut().uri = uri;
    }
    next.call(request).await
}

/// The request target without the public URL's path; `None` if it has no such path.
fn inner(public: &PublicUrl, uri: &Uri) -> Option<Uri> {
    if public.path().is_empty() {
        return None;
    }
    let rest = uri.path().strip_prefix(public.path()).filter(|rest| rest.starts_with('/'))?;
    // The router decodes the path.
    if OPERATORS_PATHS.contains(&&*percent_decode_str(rest).decode_utf8_lossy()) {
        return None;
    }
    let target = match uri.query() {
        Some(query) => format!("{rest}?{query}"),
        None => rest.to_owned(),
    };
    let mut parts = uri.clone().into_parts();
    parts.path_and_query = Some(PathAndQuery::try_from(target).ok()?);
    Uri::from_parts(parts).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_path_is_removed_once_and_only_as_whole_segments() {
        let public: PublicUrl = "https://net.example.com/a/b".parse().expect("a URL");
        let of = |target: &str| inner(&public, &target.parse().expect("a target")).map(|uri| uri.to_string());
        assert_eq!(of("/a/b/operations?limit=1"), Some("/operations?limit=1".into()));
        assert_eq!(of("/a/b/"), Some("/".into()));
        assert_eq!(of("/a/b/a/b/operations"), Some("/a/b/operations".into()));
        assert_eq!(of("http://host/a/b/vpcs/x"), Some("http://host/vpcs/x".into()));
        for target in [
            "/a/b",
            "/a/bc/operations",
            "/operations",
            "/a",
            "/a/b/metrics",
            "/a/b/readyz",
            "/a/b/livez",
            "/a/b/%6Detrics",
        ] {
            assert_eq!(of(target), None, "{target}");
        }
        let whole_host: PublicUrl = "https://net.example.com".parse().expect("a URL");
        assert_eq!(inner(&whole_host, &"/operations".parse().expect("a target")), None);
    }
}
