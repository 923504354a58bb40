//! The configuration file: accounts, OIDC issuers, webhooks and drift checks in TOML. Every fault is reported with its line.

mod account;
mod drift;
mod issuer;
mod table;
mod webhook;

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use secrecy::SecretString;
use toml::de::DeTable;

use crate::cloud::Settings;
use crate::oidc;
use crate::webhooks;

use super::InvalidSetting;

pub use account::Defaults;

use table::{Document, Table};

/// What the file says.
#[derive(Default)]
pub struct ConfigFile {
    /// Empty if the file has no account.
    pub accounts: Vec<Settings>,
    pub issuers: Vec<oidc::Settings>,
    /// The interval of drift checks; `None` if the file has none.
    pub drift: Option<Duration>,
    pub webhooks: Vec<webhooks::Settings>,
    /// The key of the fingerprints.
    pub fingerprint_key: Option<SecretString>,
}

/// Reads the text of a configuration file, and the files that it names.
///
/// # Errors
/// Every fault, in the order of the lines.
pub fn read(file: &Path, text: &str, defaults: Defaults) -> Result<ConfigFile, Vec<InvalidSetting>> {
    let document = Document::new(file, text);
    let (root, errors) = DeTable::parse_recoverable(text);
    for error in &errors {
        // Not its Display: that shows the line, which may hold a secret by mistake.
        document.fault(
            error.span().unwrap_or_default().start,
            "",
            format!("is not TOML: {}", error.message()),
        );
    }
    let mut config = ConfigFile::default();
    if errors.is_empty() {
        let folder = file.parent().unwrap_or(Path::new(""));
        let root = Table::new(&document, String::new(), root.span(), root.get_ref());
        config = content(root, &document, folder, defaults);
    }
    let faults = document.into_faults();
    if faults.is_empty() { Ok(config) } else { Err(faults) }
}

fn content(mut root: Table<'_, '_>, document: &Document, folder: &Path, defaults: Defaults) -> ConfigFile {
    let fingerprint_key = account::fingerprint_key(&mut root, folder);
    let mut names = Unique::new(document, "name", "name of the account");
    let mut accounts = Vec::new();
    let tables = root.tables("accounts");
    let is_second = tables.len() > 1;
    for mut table in tables {
        names.check(&mut table);
        accounts.extend(account::read(table, folder, defaults));
    }
    let mut urls = Unique::new(document, "issuer", "issuer");
    let mut issuers = Vec::new();
    for mut table in root.tables("oidc") {
        urls.check(&mut table);
        issuers.extend(issuer::read(table, defaults));
    }
    let drift = drift::read(&mut root);
    let mut names = Unique::new(document, "name", "name of the webhook");
    let mut webhooks = Vec::new();
    for mut table in root.tables("webhooks") {
        names.check(&mut table);
        webhooks.extend(webhook::read(table, folder));
    }
    if is_second && !root.has("fingerprint_key_file") && !defaults.has_fingerprint_key {
        root.fault("fingerprint_key_file", "is required with more than one account");
    }
    root.finish();
    ConfigFile { accounts, issuers, webhooks, drift, fingerprint_key }
}

/// A key whose value may occur in one table of a list only.
struct Unique<'d> {
    document: &'d Document,
    key: &'static str,
    /// What a value is, for messages.
    what: &'static str,
    places: BTreeMap<String, usize>,
}

impl<'d> Unique<'d> {
    const fn new(document: &'d Document, key: &'static str, what: &'static str) -> Self {
        Self { document, key, what, places: BTreeMap::new() }
    }

    /// Adds a fault if an earlier table has the same value.
    fn check(&mut self, table: &mut Table<'_, '_>) {
        let Some(value) = table.value(self.key) else { return };
        let Some(text) = value.get_ref().as_str() else { return };
        if let Some(first) = self.places.get(text) {
            let (line, key, what) = (self.document.line(*first), self.key, self.what);
            table.fault(key, format!("{text:?} is the {what} at line {line} already"));
        } else {
            self.places.insert(text.to_owned(), value.span().start);
        }
    }
}
