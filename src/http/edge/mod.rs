//! The HTTP edge: client addresses behind proxies, rate limits, CORS, compression, HEAD, and HTTP/1.0.

mod compress;
mod cors;
mod head;
mod http_1_0;
pub mod limit;
mod pieces;
pub mod public_url;
mod settings;
pub mod source;
mod unprefixed;

pub use compress::compressed;
pub use cors::{InvalidOrigin, WebOrigin, explained};
pub use head::headed;
pub use http_1_0::unchunked;
pub use public_url::PublicUrl;
pub use settings::{Edge, ForwardedHeader, LONGEST_WAIT};
pub use unprefixed::unprefixed;

impl Edge {
    /// The CORS middleware, and whether it is enabled.
    pub fn cors(&self) -> (bool, actix_cors::Cors) {
        (!self.cors_origins.is_empty(), cors::middleware(&self.cors_origins))
    }
}
