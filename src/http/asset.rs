//! Files that stay constant while the process runs, with an entity tag for caches.

use std::borrow::Cow;

use actix_web::http::header;
use actix_web::web::Bytes;
use actix_web::{HttpRequest, HttpResponse};
use sha2::{Digest, Sha256};

use crate::domain::etag::ETag;
use crate::domain::fingerprint::hex;

use super::input::conditional;
use super::problem::Problem;

/// Bytes of the SHA-256 that a tag contains.
const TAG_BYTES: usize = 16;
/// Caches may keep a file but must revalidate it, so that an upgrade never mixes old and new files.
pub(super) const REVALIDATE: &str = "no-cache";

/// A file's bytes with their media type and tag.
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

    /// The bytes, or 304 if the client has cached them.
    pub(super) fn respond(&self, request: &HttpRequest) -> Result<HttpResponse, Problem> {
        let cached = conditional::if_none_match(request).map_err(|fault| Problem::of_faults(vec![fault]))?;
        let is_cached = cached.contains(&self.tag);
        let mut response = if is_cached { HttpResponse::NotModified() } else { HttpResponse::Ok() };
        response
            // Weak, because the answer can be compressed.
            .insert_header((header::ETAG, format!("W/{}", self.tag)))
            .insert_header((header::CACHE_CONTROL, REVALIDATE));
        if is_cached {
            return Ok(response.finish());
        }
        Ok(response.content_type(self.media_type.as_ref()).body(self.bytes.clone()))
    }
}
