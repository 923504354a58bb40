//! TLS certificates: read at the start and reloaded when the files change, because certificates are short-lived. Open
//! connections keep the certificate that they started with.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use rustls::ServerConfig;
use rustls::crypto::{CryptoProvider, ring};
use rustls::pki_types::pem::{self, PemObject};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use sha2::{Digest, Sha256};
use tokio::signal::unix::{SignalKind, signal};
use tokio::time::{MissedTickBehavior, interval, timeout};
use tracing::{error, info, warn};

use crate::shutdown::Shutdown;

/// Interval of the checks for changed files.
const RELOAD_INTERVAL: Duration = Duration::from_secs(5);
/// Time limit of one reload.
const READ_LIMIT: Duration = Duration::from_secs(5);

const CERTIFICATE: &str = "TUNNELGATE_TLS_CERT_FILE (--tls-cert-file)";
const KEY: &str = "TUNNELGATE_TLS_KEY_FILE (--tls-key-file)";

/// The PEM files of the certificate chain and its key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TlsFiles {
    /// The server's certificate, followed by the intermediate certificates.
    pub certificate: PathBuf,
    pub key: PathBuf,
}

/// Why the files can't be used for TLS. The message names the setting.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    #[error("{CERTIFICATE}: can't read {0}")]
    CertificateFile(PathBuf, #[source] std::io::Error),
    #[error("TUNNELGATE_TLS_CERT_FILE (--tls-cert-file): {0} contains no PEM certificate")]
    Certificate(PathBuf, #[source] pem::Error),
    #[error("TUNNELGATE_TLS_KEY_FILE (--tls-key-file): can't read {0}")]
    KeyFile(PathBuf, #[source] std::io::Error),
    #[error(
        "TUNNELGATE_TLS_KEY_FILE (--tls-key-file): {0} contains no PEM private key that is not encrypted"
    )]
    Key(PathBuf, #[source] pem::Error),
    #[error("TUNNELGATE_TLS_KEY_FILE (--tls-key-file): the key does not belong to the certificate")]
    Pair(#[source] rustls::Error),
    #[error("can't set up TLS")]
    Setup(#[source] rustls::Error),
}

impl TlsError {
    /// The setting with the fault.
    #[must_use]
    pub fn setting(&self) -> &'static str {
        match self {
            Self::CertificateFile(..) | Self::Certificate(..) | Self::Setup(_) => CERTIFICATE,
            Self::KeyFile(..) | Self::Key(..) | Self::Pair(_) => KEY,
        }
    }

    /// The message with its causes, without the setting's name.
    #[must_use]
    pub fn problem(&self) -> String {
        let text = crate::causes::chain(self);
        let named = text.strip_prefix(self.setting()).and_then(|rest| rest.strip_prefix(": "));
        named.unwrap_or(&text).to_owned()
    }
}

/// The certificate for new connections.
pub struct Certificates {
    files: TlsFiles,
    provider: Arc<CryptoProvider>,
    current: RwLock<Loaded>,
}

#[derive(Clone)]
struct Loaded {
    key: Arc<CertifiedKey>,
    /// SHA-256 of both files.
    digest: [u8; 32],
}

impl fmt::Debug for Certificates {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Certificates").field("files", &self.files).finish_non_exhaustive()
    }
}

impl ResolvesServerCert for Certificates {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(self.current.read().unwrap_or_else(PoisonError::into_inner).key.clone())
    }
}

impl Certificates {
    /// Reads the files.
    ///
    /// # Errors
    /// If a file can't be read, or the key does not belong to the certificate.
    pub fn load(files: TlsFiles) -> Result<Self, TlsError> {
        let provider = Arc::new(ring::default_provider());
        let current = RwLock::new(read(&files, &provider)?);
        Ok(Self { files, provider, current })
    }

    /// The server's TLS settings: TLS 1.2 and 1.3, no client certificates.
    ///
    /// # Errors
    /// If the TLS library does not support these versions.
    pub fn server_config(self: &Arc<Self>) -> Result<ServerConfig, TlsError> {
        let config = ServerConfig::builder_with_provider(self.provider.clone())
            .with_safe_default_protocol_versions()
            .map_err(TlsError::Setup)?
            .with_no_client_auth()
            .with_cert_resolver(self.clone());
        Ok(config)
    }

    /// Reloads the files; true if they changed. On an error the current certificate stays in use.
    fn reload(&self) -> Result<bool, TlsError> {
        let loaded = read(&self.files, &self.provider)?;
        let mut current = self.current.write().unwrap_or_else(PoisonError::into_inner);
        let is_new = current.digest != loaded.digest;
        *current = loaded;
        Ok(is_new)
    }

    /// Reloads the files every few seconds and at SIGHUP, until the shutdown is requested.
    pub async fn follow(self: Arc<Self>, shutdown: Shutdown) {
        let mut hangup = match signal(SignalKind::hangup()) {
            Ok(hangup) => hangup,
            Err(error) => {
                warn!(
                    error = crate::causes::chain(&error),
                    "can't listen for SIGHUP; certificates will not be reloaded until a restart"
                );
                return;
            }
        };
        let mut ticks = interval(RELOAD_INTERVAL);
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
        // Tools replace the two files one after the other, so a single failed reload is normal. The second failure in a
        // row is logged, later ones are not.
        let mut failures = 0_u32;
        loop {
            tokio::select! {
                _ = ticks.tick() => {}
                _ = hangup.recv() => {}
                () = shutdown.requested() => return,
            }
            let certificates = self.clone();
            let reading = tokio::task::spawn_blocking(move || certificates.reload());
            match timeout(READ_LIMIT, reading).await {
                Ok(Ok(Ok(is_new))) => {
                    failures = 0;
                    if is_new {
                        info!("the TLS certificate was reloaded; new connections use it");
                    }
                }
                Ok(Ok(Err(error))) => {
                    failures = failures.saturating_add(1);
                    if failures == 2 {
                        warn!(
                            error = crate::causes::chain(&error),
                            "the TLS files are invalid; new connections use the previous certificate"
                        );
                    }
                }
                // The panic hook has logged the place.
                Ok(Err(_)) => {
                    error!("reading the TLS files crashed; new connections use the previous certificate")
                }
                Err(_) => warn!("reading the TLS files took longer than 5 seconds"),
            }
        }
    }
}

fn read(files: &TlsFiles, provider: &CryptoProvider) -> Result<Loaded, TlsError> {
    let (certificate, key) = (&files.certificate, &files.key);
    let text = |file: &Path| std::fs::read(file);
    let chain_pem =
        text(certificate).map_err(|error| TlsError::CertificateFile(certificate.clone(), error))?;
    let key_pem = text(key).map_err(|error| TlsError::KeyFile(key.clone(), error))?;
    let chain = CertificateDer::pem_slice_iter(&chain_pem)
        .collect::<Result<Vec<_>, _>>()
        .and_then(|chain| if chain.is_empty() { Err(pem::Error::NoItemsFound) } else { Ok(chain) })
        .map_err(|error| TlsError::Certificate(certificate.clone(), error))?;
    let private =
        PrivateKeyDer::from_pem_slice(&key_pem).map_err(|error| TlsError::Key(key.clone(), error))?;
    let certified = CertifiedKey::from_der(chain, private, provider).map_err(TlsError::Pair)?;
    let digest = Sha256::new().chain_update(&chain_pem).chain_update(&key_pem).finalize().into();
    Ok(Loaded { key: Arc::new(certified), digest })
}
