//! The settings of an entry.

use crate::service::webhooks::Filter;

use super::sign::SigningKey;
use super::url::WebhookUrl;

/// A receiver of events.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    pub name: String,
    pub url: WebhookUrl,
    /// One, or two while they rotate: each signs every message.
    pub keys: Vec<SigningKey>,
    pub filter: Filter,
}
