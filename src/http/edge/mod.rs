//! What stands between the callers and the routes: who is believed about addresses, how often somebody may call, which
//! pages of other hosts may call, how answers are packed, and which have no body.

mod compress;
mod cors;
mod head;
pub mod limit;
mod settings;
pub mod source;

pub use compress::compressed;
pub use cors::{InvalidOrigin, WebOrigin, explained};
pub use head::headed;
pub use settings::{Edge, ForwardedHeader};

impl Edge {
    /// The middleware for pages of other hosts: a switch and what it switches.
    pub fn cors(&self) -> (bool, actix_cors::Cors) {
        (!self.cors_origins.is_empty(), cors::middleware(&self.cors_origins))
    }
}
