//! One `[[webhooks]]` of the configuration file.

use std::path::Path;

use secrecy::ExposeSecret;

use crate::config::secrets::secret_of;
use crate::domain::event::EventKind;
use crate::domain::principal::{VpcPattern, VpcScope};
use crate::service::webhooks::Filter;
use crate::webhooks::{Settings, SigningKey, WebhookUrl};

use super::account::{beside, name, one_of};
use super::table::Table;

/// Secrets in a file: one, or two while they rotate.
const MAX_KEYS: usize = 2;

/// Reads a webhook, and collects its faults.
pub(super) fn read(mut table: Table<'_, '_>, folder: &Path) -> Option<Settings> {
    for key in ["name", "url", "secret_file"] {
        table.require(key);
    }
    let name = table.parsed("name", name);
    let url = table.parsed("url", WebhookUrl::parse);
    let keys = table.parsed("secret_file", |name| keys(&beside(folder, name)));
    let events =
        table.list("events", |word| EventKind::from_word(word).ok_or_else(|| one_of(EventKind::WORDS)));
    let vpcs = table.list("vpcs", str::parse::<VpcPattern>);
    let is_whole = (events.is_some() || !table.has("events")) && (vpcs.is_some() || !table.has("vpcs"));
    table.finish();
    let vpcs = vpcs.map_or(VpcScope::All, VpcScope::Matching);
    let filter = is_whole.then_some(Filter { events, vpcs })?;
    Some(Settings { name: name?, url: url?, keys: keys?, filter })
}

/// The secrets in a file, one a line.
fn keys(file: &Path) -> Result<Vec<SigningKey>, String> {
    let text = secret_of(file)?;
    let lines: Vec<&str> = text.expose_secret().lines().collect();
    if lines.len() > MAX_KEYS {
        return Err(format!("{} must contain one or two secrets, one a line", file.display()));
    }
    let key = |(number, line): (usize, &&str)| {
        SigningKey::parse(line)
            .map_err(|problem| format!("{}, line {}: {problem}", file.display(), number + 1))
    };
    lines.iter().enumerate().map(key).collect()
}
