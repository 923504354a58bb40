//! The configuration file: accounts in TOML. Every fault is reported with its line.

mod account;
mod table;

use std::collections::BTreeMap;
use std::path::Path;

use secrecy::SecretString;
use toml::de::DeTable;

use crate::cloud::Settings;

use super::InvalidSetting;

pub use account::Defaults;

use table::{Document, Table};

/// Parts of the file that this version does not have.
const LATER: [&str; 3] = ["oidc", "webhooks", "drift"];

/// What the file says.
#[derive(Default)]
pub struct ConfigFile {
    /// Empty if the file has no account.
    pub accounts: Vec<Settings>,
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
    let fingerprint_key = account::secret(&mut root, "fingerprint_key_file", folder);
    for key in LATER {
        root.refuse(key, "this version of tunnelgate does not support it");
    }
    let mut lines: BTreeMap<String, usize> = BTreeMap::new();
    let mut accounts = Vec::new();
    let tables = root.tables("accounts");
    let is_second = tables.len() > 1;
    for mut table in tables {
        if let Some(name) = table.value("name")
            && let Some(text) = name.get_ref().as_str()
        {
            let at = name.span().start;
            match lines.get(text) {
                Some(first) => {
                    let line = document.line(*first);
                    table
                        .fault("name", format!("{text:?} is the name of the account at line {line} already"));
                }
                None => {
                    lines.insert(text.to_owned(), at);
                }
            }
        }
        accounts.extend(account::read(table, folder, defaults));
    }
    if is_second && !root.has("fingerprint_key_file") && !defaults.has_fingerprint_key {
        root.fault("fingerprint_key_file", "is required with more than one account");
    }
    root.finish();
    ConfigFile { accounts, fingerprint_key }
}
