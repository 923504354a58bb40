//! Events that are sent to receivers.

mod delivery;
mod places;
mod trouble;

use tunnelgate::config::Settings;
use tunnelgate::domain::event::EventKind;
use tunnelgate::domain::principal::VpcScope;
use tunnelgate::service::webhooks::Filter;
use tunnelgate::webhooks::{self, SigningKey, WebhookUrl};

use crate::receiver::{Delivery, Receiver};

pub const OLD: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
pub const NEW: &str = "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD9tUGEfU3";

/// An entry that gets everything.
pub fn entry(name: &str, receiver: &Receiver) -> webhooks::Settings {
    webhooks::Settings {
        name: name.into(),
        url: WebhookUrl::parse(&receiver.url).expect("a URL"),
        keys: vec![SigningKey::parse(OLD).expect("a secret")],
        filter: Filter { events: None, vpcs: VpcScope::All },
    }
}

/// An entry that gets these events only.
pub fn filtered(name: &str, receiver: &Receiver, events: &[EventKind]) -> webhooks::Settings {
    let filter = Filter { events: Some(events.to_vec()), vpcs: VpcScope::All };
    webhooks::Settings { filter, ..entry(name, receiver) }
}

/// Settings with these entries.
pub fn with(entries: Vec<webhooks::Settings>) -> impl FnOnce(&mut Settings) {
    move |settings| settings.webhooks = entries
}

pub fn seqs(deliveries: &[Delivery]) -> Vec<i64> {
    deliveries.iter().map(Delivery::seq).collect()
}
