//! What stays the same while the process runs: it has a tag, so that nobody fetches it twice.

use std::borrow::Cow;

use actix_web::http::header;
use actix_web::web::Bytes;
use actix_web::{HttpRequest, HttpResponse};
use sha2::{Digest, Sha256};

use crate::domain::etag::ETag;
use crate::domain::fingerprint::hex;

use super::input::conditional;
use super::problem::Problem;

/// Bytes of the SHA-256 that make a tag.
const TAG_BYTES: usize = 16;
/// It may be kept, and is asked for each time: after an upgrade no old part meets a new one.
pub(super) const REVALIDATE: &str = "no-cache";

/// Bytes with their media type and their tag.
pub(super) struct Asset {
    media_type: Cow<'static, str>,
    bytes: Bytes,
    tag: ETag,
}

impl Asset {
    pub(super) fn new(media_type: impl Into<Cow<'static, str>>, bytes: impl Into<Bytes>) -> Self {
        let bytes = bytes.into();
        let tag = ETag::new(hex(&Sha256::digest(&bytes)[..TAG_BYTES]));
        Self { media_type: media_type.into(), bytes, tag }
    }

    /// The bytes, or 304 for whoever has them already.
    pub(super) fn respond(&self, request: &HttpRequest) -> Result<HttpResponse, Problem> {
        let known = conditional::if_none_match(request).map_err(|fault| Problem::of_faults(vec![fault]))?;
        let is_known = known.has(&self.tag);
        let mut response = if is_known { HttpResponse::NotModified() } else { HttpResponse::Ok() };
        response
            // Weak, because it may be packed on its way.
            .insert_header((header::ETAG, format!("W/{}", self.tag)))
            .insert_header((header::CACHE_CONTROL, REVALIDATE));
        if is_known {
            return Ok(response.finish());
        }
        Ok(response.content_type(self.media_type.as_ref()).body(self.bytes.clone()))
    }
}
