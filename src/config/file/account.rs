//! One `[[accounts]]` of the configuration file.

use std::path::{Path, PathBuf};
use std::time::Duration;

use secrecy::{ExposeSecret, SecretString};

use crate::cloud::endpoint::Endpoint;
use crate::cloud::v2::sign::SignatureMethod;
use crate::cloud::v2::wire::ParamStyle;
use crate::cloud::{Credentials, Endpoints, Settings};
use crate::config::duration;
use crate::config::limits::upstream_timeout;
use crate::config::secrets::secret_of;
use crate::config::text;
use crate::config::upstream;
use crate::domain::api::Api;
use crate::domain::principal::{VpcPattern, VpcScope};

use super::table::Table;

/// The longest name of an account or a webhook, in characters.
const MAX_NAME_LENGTH: usize = 63;

/// What an account has where the file does not say.
#[derive(Debug, Clone, Copy)]
pub struct Defaults {
    pub timeout: Duration,
    pub calls_per_second: u32,
    pub allow_plain_http: bool,
    /// The environment has a key of the fingerprints.
    pub has_fingerprint_key: bool,
}

/// A file that the configuration names: relative names count from the folder of the configuration.
pub(super) fn beside(folder: &Path, name: &str) -> PathBuf {
    folder.join(name)
}

/// The key of the fingerprints.
pub(super) fn fingerprint_key(table: &mut Table<'_, '_>, folder: &Path) -> Option<SecretString> {
    secret(table, "fingerprint_key_file", folder, text::check)
}

/// The credential in the file that a key names.
fn credential(table: &mut Table<'_, '_>, key: &'static str, folder: &Path) -> Option<SecretString> {
    secret(table, key, folder, text::word)
}

/// The secret in the file that a key names.
fn secret(
    table: &mut Table<'_, '_>,
    key: &'static str,
    folder: &Path,
    check: impl Fn(&str) -> Result<(), String>,
) -> Option<SecretString> {
    table.parsed(key, |name| {
        let file = beside(folder, name);
        let secret = secret_of(&file)?;
        match check(secret.expose_secret()) {
            Ok(()) => Ok(secret),
            Err(problem) => Err(format!("{} {problem}", file.display())),
        }
    })
}

/// Reads an account, and collects its faults.
pub(super) fn read(mut table: Table<'_, '_>, folder: &Path, defaults: Defaults) -> Option<Settings> {
    for key in ["name", "vpcs", "api", "region", "secret_key_file"] {
        table.require(key);
    }
    let name = table.parsed("name", name);
    let vpcs = table.list("vpcs", str::parse::<VpcPattern>);
    let api = table.parsed("api", upstream::parse);
    // Checked also where the API is wrong, so that every fault is reported.
    let region = table.parsed("region", |text| upstream::region(api.unwrap_or(Api::V2), text));
    let secret_id = secret_id(&mut table, folder);
    let secret_key = credential(&mut table, "secret_key_file", folder);
    let token = credential(&mut table, "token_file", folder);
    let signature_method = table.parsed("signature_method", |word| {
        SignatureMethod::from_word(word).ok_or_else(|| one_of(SignatureMethod::WORDS))
    });
    let param_style = table
        .parsed("param_style", |word| ParamStyle::from_word(word).ok_or_else(|| one_of(ParamStyle::WORDS)));
    let calls_per_second = table.number("rps");
    let timeout = table.parsed("timeout", |text| upstream_timeout(duration::parse(text)?));
    let allow_plain_http = table.flag("allow_plain_http").unwrap_or(defaults.allow_plain_http);
    let endpoints = endpoints(&mut table, api, allow_plain_http);
    let has_token = !table.has("token_file") || token.is_some();
    table.finish();
    Some(Settings {
        account: name?,
        vpcs: VpcScope::Matching(vpcs?),
        api: api?,
        endpoints: endpoints?,
        credentials: Credentials {
            secret_id: secret_id?,
            secret_key: secret_key?,
            token: has_token.then_some(token)?,
        },
        region: region?,
        signature_method: signature_method.unwrap_or(SignatureMethod::HmacSha1),
        param_style: param_style.unwrap_or(ParamStyle::Indexed),
        timeout: timeout.unwrap_or(defaults.timeout),
        calls_per_second: calls_per_second.unwrap_or(defaults.calls_per_second),
    })
}

pub(super) fn one_of(words: &[&str]) -> String {
    format!("must be one of {}", words.join(", "))
}

pub(super) fn name(text: &str) -> Result<String, String> {
    let allowed = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-';
    if text.len() <= MAX_NAME_LENGTH && text.bytes().all(allowed) {
        return Ok(text.to_owned());
    }
    Err(format!("must be 1 to {MAX_NAME_LENGTH} characters of a-z 0-9 -"))
}

/// The SecretId, from the file itself or from a file of its own.
fn secret_id(table: &mut Table<'_, '_>, folder: &Path) -> Option<String> {
    let given = table.parsed("secret_id", |id| text::word(id).map(|()| id.to_owned()));
    let read = credential(table, "secret_id_file", folder).map(|id| id.expose_secret().to_owned());
    match (table.has("secret_id"), table.has("secret_id_file")) {
        (true, true) => {
            table.fault("secret_id_file", "set either secret_id or secret_id_file, not both");
            None
        }
        (false, false) => {
            table.fault("secret_id", "is required (or secret_id_file)");
            None
        }
        _ => given.or(read),
    }
}

/// Where the account's API is. A URL or host as a text belongs to the account's API; a table has one for each version.
fn endpoints(table: &mut Table<'_, '_>, api: Option<Api>, allow_plain_http: bool) -> Option<Endpoints> {
    let urls = by_version(table, "url", api, |text| {
        text::word(text)?;
        Endpoint::parse(text, allow_plain_http)
            .map_err(|problem| problem.to_string().replace("--allow-plain-http", "allow_plain_http = true"))
    });
    let hosts = by_version(table, "signed_host", api, |text| text::host(text).map(|()| text.to_owned()));
    let (mut endpoints, urls, hosts) = (Endpoints::default(), urls?, hosts?);
    for (version, url) in urls {
        *endpoints.of_mut(version) = url;
    }
    for (version, host) in hosts {
        endpoints.of_mut(version).signed_host = host;
    }
    Some(endpoints)
}

/// A text for the account's API, or a table with a text for each version. `None` if something is wrong with it.
fn by_version<T>(
    table: &mut Table<'_, '_>,
    key: &'static str,
    api: Option<Api>,
    parse: impl Fn(&str) -> Result<T, String>,
) -> Option<Vec<(Api, T)>> {
    if table.value(key).is_none() {
        return Some(Vec::new());
    }
    let Some(mut versions) = table.inner(key) else {
        // Checked also where the API is wrong, so that every fault is reported.
        let parsed = table.parsed(key, parse)?;
        return Some(vec![(api?, parsed)]);
    };
    let mut found = Vec::new();
    let mut is_valid = true;
    for (key, version) in [("v2", Api::V2), ("v3", Api::V3)] {
        let parsed = versions.parsed(key, &parse);
        is_valid &= parsed.is_some() || !versions.has(key);
        found.extend(parsed.map(|parsed| (version, parsed)));
    }
    versions.finish();
    is_valid.then_some(found)
}
