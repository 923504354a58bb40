//! Webhooks: the receivers of the configuration file, and messages to them, signed by Standard Webhooks
//! (<https://www.standardwebhooks.com>).

mod receivers;
mod resolve;
mod send;
mod settings;
mod sign;
mod url;

pub use receivers::Receivers;
pub use send::{HttpReceiver, NoClient};
pub use settings::Settings;
pub use sign::{InvalidKey, SigningKey};
pub use url::{InvalidUrl, WebhookUrl};
