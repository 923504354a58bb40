//! The HTTP API, arranged by resource.

mod accounts;
mod address;
mod asset;
mod audit;
mod auth;
mod call;
mod connection;
mod console;
mod drift;
pub mod edge;
#[cfg(any(test, feature = "fuzzing"))]
pub mod fuzz;
mod health;
mod input;
mod metrics;
mod missing;
mod observe;
pub mod openapi;
mod operations;
mod page;
mod principal;
mod problem;
mod request_id;
mod routes;
mod sign_in;
mod sse;
mod state;
mod tunnels;

/// The outermost middleware: `App::wrap(observe!())`.
#[macro_export]
macro_rules! observe {
    () => {
        ::actix_web::middleware::from_fn($crate::http::observed)
    };
}

pub use connection::{Listener, counted, listen};
pub use edge::{compressed, explained, headed, unchunked, unprefixed};
pub use observe::observed;
pub use operations::view::operation_json;
pub use routes::configure;
pub use state::HttpState;
