//! The accounts of the cloud: from the configuration file, or one account from flags and variables. The OIDC issuers and
//! the webhooks come with them, because all are read again when files change.

use std::path::{Path, PathBuf};
use std::time::Duration;

use secrecy::{ExposeSecret, SecretString};

use crate::cloud::endpoint::Endpoint;
use crate::cloud::v2::sign::SignatureMethod;
use crate::cloud::v2::wire::ParamStyle;
use crate::cloud::{self, Credentials, Endpoints};
use crate::domain::api::Api;
use crate::domain::fingerprint::FingerprintKey;
use crate::domain::principal::VpcScope;
use crate::oidc;
use crate::webhooks;

use super::args::ServeArgs;
use super::file::{self, ConfigFile, Defaults};
use super::invalid::{Faults, InvalidSetting};
use super::secrets::Secrets;
use super::text;
use super::upstream::{self, Upstream};

/// The name of the only account where the settings have one set of credentials.
const DEFAULT_ACCOUNT: &str = "default";

const CONFIG: &str = "TUNNELGATE_CONFIG (--config)";
const SECRET_ID: &str = "TENCENTCLOUD_SECRET_ID";
const FINGERPRINT_KEY: &str = "TUNNELGATE_FINGERPRINT_KEY";

/// The accounts, the issuers, and the key of the fingerprints, which may come from the credentials of the only account.
#[derive(Clone)]
pub struct Reloadable {
    /// At least one.
    pub accounts: Vec<cloud::Settings>,
    pub issuers: Vec<oidc::Settings>,
    /// The interval of drift checks; `None` if there are none.
    pub drift: Option<Duration>,
    pub webhooks: Vec<webhooks::Settings>,
    pub fingerprint_key: FingerprintKey,
}

/// Where the accounts and the issuers come from. They can be read again, because files change: temporary credentials rotate.
#[derive(Clone)]
pub struct Source {
    args: ServeArgs,
    secrets: Secrets,
}

impl Source {
    #[must_use]
    pub fn new(args: &ServeArgs, secrets: &Secrets) -> Self {
        Self { args: args.clone(), secrets: secrets.clone() }
    }

    /// Reads the accounts and the issuers.
    ///
    /// # Errors
    /// Every invalid setting.
    pub fn read(&self) -> Result<Reloadable, Faults> {
        let mut faults = Faults::default();
        let config = self.file(&mut faults);
        let key = self.secrets.read(FINGERPRINT_KEY, given(&self.args.fingerprint_key_file));
        let key = faults.take(key.and_then(|key| match &key {
            Some(secret) => self.checked(FINGERPRINT_KEY, secret, text::check).map(|()| key),
            None => Ok(None),
        }));
        let Some(config) = config else { return Err(faults) };
        let accounts = if config.accounts.is_empty() {
            self.single(&mut faults).into_iter().collect()
        } else {
            faults.extend(self.surplus());
            config.accounts
        };
        if config.fingerprint_key.is_some() && matches!(key, Some(Some(_))) {
            let problem =
                "is set beside fingerprint_key_file of the configuration file: remove one of the two";
            faults.push(InvalidSetting::new(FINGERPRINT_KEY, problem));
        }
        let fingerprint_key = match (config.fingerprint_key.or(key.flatten()), accounts.first()) {
            (Some(key), _) => FingerprintKey::from_setting(key.expose_secret().as_bytes()),
            (None, Some(account)) => {
                FingerprintKey::derive(account.credentials.secret_key.expose_secret().as_bytes())
            }
            (None, None) => return Err(faults),
        };
        if !faults.is_empty() {
            return Err(faults);
        }
        Ok(Reloadable {
            accounts,
            issuers: config.issuers,
            webhooks: config.webhooks,
            drift: config.drift,
            fingerprint_key,
        })
    }

    /// The configuration file; an empty one where there is none. `None` if something is wrong with it.
    fn file(&self, faults: &mut Faults) -> Option<ConfigFile> {
        let Some(file) = given(&self.args.config) else { return Some(ConfigFile::default()) };
        let defaults = Defaults {
            timeout: self.args.upstream_timeout,
            calls_per_second: self.args.upstream_rps,
            allow_plain_http: self.args.allow_plain_http,
            has_fingerprint_key: self.secrets.has(FINGERPRINT_KEY)
                || given(&self.args.fingerprint_key_file).is_some(),
        };
        let read = std::fs::read_to_string(file).map_err(|error| unreadable(file, &error));
        let read = read.and_then(|text| {
            let has_accounts = text.contains("[[accounts]]");
            file::read(file, &text, defaults).map_err(|mut all| {
                if has_accounts {
                    all.extend(self.surplus());
                }
                all
            })
        });
        read.map_err(|all| faults.extend(all)).ok()
    }

    /// Settings of a single account that are set beside the accounts of the configuration file.
    fn surplus(&self) -> Vec<InvalidSetting> {
        let args = &self.args;
        let text = |value: &Option<String>| value.as_ref().is_some_and(|value| !value.is_empty());
        let file = |value: &Option<PathBuf>| given(value).is_some();
        let settings = [
            ("TENCENTCLOUD_SECRET_ID (--secret-id)", text(&args.secret_id)),
            ("TENCENTCLOUD_SECRET_ID_FILE (--secret-id-file)", file(&args.secret_id_file)),
            ("TENCENTCLOUD_SECRET_KEY", self.secrets.has("TENCENTCLOUD_SECRET_KEY")),
            ("TENCENTCLOUD_SECRET_KEY_FILE (--secret-key-file)", file(&args.secret_key_file)),
            ("TENCENTCLOUD_TOKEN", self.secrets.has("TENCENTCLOUD_TOKEN")),
            ("TENCENTCLOUD_TOKEN_FILE (--token-file)", file(&args.token_file)),
            ("TENCENTCLOUD_REGION (--region)", text(&args.region)),
            ("TENCENTCLOUD_REGION_FILE (--region-file)", file(&args.region_file)),
            ("TUNNELGATE_UPSTREAM (--upstream)", args.upstream.is_some()),
            ("TUNNELGATE_UPSTREAM_URL (--upstream-url)", text(&args.upstream_url)),
            ("TUNNELGATE_SIGNED_HOST (--signed-host)", text(&args.signed_host)),
            ("TUNNELGATE_SIGNATURE_METHOD (--signature-method)", args.signature_method.is_some()),
            ("TUNNELGATE_PARAM_STYLE (--param-style)", args.param_style.is_some()),
        ];
        let problem = "is set beside the accounts of the configuration file: remove one of the two";
        let is_set = settings.into_iter().filter(|(_, is_set)| *is_set);
        is_set.map(|(name, _)| InvalidSetting::new(name, problem)).collect()
    }

    /// A credential, which is a word. The fault names the variable or its file, whichever is given.
    fn word(&self, name: &str, value: SecretString) -> Result<SecretString, InvalidSetting> {
        self.checked(name, &value, text::word).map(|()| value)
    }

    fn checked(
        &self,
        name: &str,
        value: &SecretString,
        check: impl Fn(&str) -> Result<(), String>,
    ) -> Result<(), InvalidSetting> {
        let is_variable = self.secrets.has(name) || (name == SECRET_ID && self.args.secret_id.is_some());
        let given = if is_variable { name.to_owned() } else { format!("{name}_FILE") };
        check(value.expose_secret()).map_err(|problem| InvalidSetting::new(given, problem))
    }

    /// The account of flags and variables.
    fn single(&self, faults: &mut Faults) -> Option<cloud::Settings> {
        let (args, secrets) = (&self.args, &self.secrets);
        let set = |value: &Option<String>| value.clone().filter(|value| !value.is_empty());
        let invalid = |name: &str, problem: String| InvalidSetting::new(name, problem);
        let required = |read, name: &str, hint: &str| match given(&args.config) {
            Some(file) => required(read, name, &format!("{hint}; {} has no [[accounts]]", file.display())),
            None => required(read, name, hint),
        };
        let api = args.upstream.map_or(Api::V2, Upstream::api);
        if api == Api::V3 {
            let of_v2 = [
                ("TUNNELGATE_SIGNATURE_METHOD (--signature-method)", args.signature_method.is_some()),
                ("TUNNELGATE_PARAM_STYLE (--param-style)", args.param_style.is_some()),
            ];
            let problem = "belongs to API 2.0: remove it, or set TUNNELGATE_UPSTREAM (--upstream) to v2";
            faults.extend(
                of_v2.iter().filter(|(_, is_set)| *is_set).map(|(name, _)| invalid(name, problem.into())),
            );
        }
        let url = set(&args.upstream_url).map(|url| {
            let parsed = text::word(&url).and_then(|()| {
                Endpoint::parse(&url, args.allow_plain_http).map_err(|problem| problem.to_string())
            });
            parsed.map_err(|problem| invalid("TUNNELGATE_UPSTREAM_URL (--upstream-url)", problem))
        });
        let url = faults.take(url.transpose());
        let secret_key = secrets.read("TENCENTCLOUD_SECRET_KEY", given(&args.secret_key_file));
        let secret_key = faults.take(required(
            secret_key,
            "TENCENTCLOUD_SECRET_KEY",
            "set this variable or TENCENTCLOUD_SECRET_KEY_FILE",
        ));
        let secret_key = secret_key.and_then(|key| faults.take(self.word("TENCENTCLOUD_SECRET_KEY", key)));
        let secret_id = match set(&args.secret_id) {
            Some(id) => Ok(Some(id.into())),
            None => secrets.read("TENCENTCLOUD_SECRET_ID", given(&args.secret_id_file)),
        };
        let secret_id = faults.take(required(
            secret_id,
            "TENCENTCLOUD_SECRET_ID",
            "set this variable or TENCENTCLOUD_SECRET_ID_FILE",
        ));
        let secret_id = secret_id.and_then(|id| faults.take(self.word("TENCENTCLOUD_SECRET_ID", id)));
        let region = match set(&args.region) {
            Some(region) => Ok(Some(region.into())),
            None => secrets.read("TENCENTCLOUD_REGION", given(&args.region_file)),
        };
        let region_name = if set(&args.region).is_some() || given(&args.region_file).is_none() {
            "TENCENTCLOUD_REGION (--region)"
        } else {
            "TENCENTCLOUD_REGION_FILE (--region-file)"
        };
        let region = required(region, "TENCENTCLOUD_REGION", "for example ap-guangzhou").and_then(|region| {
            upstream::region(api, region.expose_secret()).map_err(|problem| invalid(region_name, problem))
        });
        let region = faults.take(region);
        let token = secrets.read("TENCENTCLOUD_TOKEN", given(&args.token_file));
        let token =
            token.and_then(|token| token.map(|token| self.word("TENCENTCLOUD_TOKEN", token)).transpose());
        let token = faults.take(token);
        let mut endpoints = Endpoints::default();
        if let Some(url) = url.flatten() {
            *endpoints.of_mut(api) = url;
        }
        if let Some(host) = set(&args.signed_host) {
            let checked = text::host(&host);
            faults
                .take(checked.map_err(|problem| invalid("TUNNELGATE_SIGNED_HOST (--signed-host)", problem)));
            endpoints.of_mut(api).signed_host = host;
        }
        Some(cloud::Settings {
            account: DEFAULT_ACCOUNT.into(),
            vpcs: VpcScope::All,
            api,
            endpoints,
            credentials: Credentials {
                secret_id: secret_id?.expose_secret().to_owned(),
                secret_key: secret_key?,
                token: token?,
            },
            region: region?,
            signature_method: args.signature_method.unwrap_or(SignatureMethod::HmacSha1),
            param_style: args.param_style.unwrap_or(ParamStyle::Indexed),
            timeout: args.upstream_timeout,
            calls_per_second: args.upstream_rps,
        })
    }
}

/// The webhooks of a configuration file.
///
/// # Errors
/// Every fault of the file.
pub fn webhooks_of(file: &Path) -> Result<Vec<webhooks::Settings>, Faults> {
    // What the file does not say about accounts does not matter.
    let defaults = Defaults {
        timeout: Duration::from_secs(10),
        calls_per_second: 0,
        allow_plain_http: true,
        has_fingerprint_key: true,
    };
    let mut faults = Faults::default();
    let read = std::fs::read_to_string(file).map_err(|error| unreadable(file, &error));
    let read = read.and_then(|text| file::read(file, &text, defaults));
    match read.map_err(|all| faults.extend(all)) {
        Ok(config) => Ok(config.webhooks),
        Err(()) => Err(faults),
    }
}

fn unreadable(file: &Path, error: &std::io::Error) -> Vec<InvalidSetting> {
    vec![InvalidSetting::new(CONFIG, format!("can't read {}: {error}", file.display()))]
}

/// The file that a flag names; an empty variable counts as unset.
fn given(file: &Option<PathBuf>) -> Option<&Path> {
    file.as_deref().filter(|file| !file.as_os_str().is_empty())
}

fn required(
    read: Result<Option<SecretString>, InvalidSetting>,
    name: &str,
    hint: &str,
) -> Result<SecretString, InvalidSetting> {
    read?.ok_or_else(|| InvalidSetting::new(name, format!("is required ({hint})")))
}
