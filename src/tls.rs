//! TLS: the certificate chain and its key, read at the start and again whenever the files change, because certificates
//! are short-lived. Connections that are open go on with what they began with.

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
use tracing::{info, warn};

use crate::shutdown::Shutdown;

/// How often it is looked whether the files have changed.
const LOOK: Duration = Duration::from_secs(5);
/// The longest that reading them may take.
const READ_LIMIT: Duration = Duration::from_secs(5);

/// Where the certificate chain and its key are, as PEM.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TlsFiles {
    /// The server's certificate first, then those that lead to the root.
    pub certificate: PathBuf,
    pub key: PathBuf,
}

/// Why TLS can't be served with these files. The message names the setting.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    #[error("TUNNELGATE_TLS_CERT_FILE (--tls-cert-file): {0} can't be read")]
    CertificateFile(PathBuf, #[source] std::io::Error),
    #[error("TUNNELGATE_TLS_CERT_FILE (--tls-cert-file): {0} holds no certificates as PEM")]
    Certificate(PathBuf, #[source] pem::Error),
    #[error("TUNNELGATE_TLS_KEY_FILE (--tls-key-file): {0} can't be read")]
    KeyFile(PathBuf, #[source] std::io::Error),
    #[error("TUNNELGATE_TLS_KEY_FILE (--tls-key-file): {0} holds no private key as PEM")]
    Key(PathBuf, #[source] pem::Error),
    #[error("TUNNELGATE_TLS_KEY_FILE (--tls-key-file): the key does not belong to the certificate")]
    Pair(#[source] rustls::Error),
    #[error("TLS could not be set up")]
    Setup(#[source] rustls::Error),
}

/// The certificate that new connections get.
pub struct Certificates {
    files: TlsFiles,
    provider: Arc<CryptoProvider>,
    current: RwLock<Loaded>,
}

#[derive(Clone)]
struct Loaded {
    key: Arc<CertifiedKey>,
    /// Of both files.
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
    /// If they can't be read, or don't belong together.
    pub fn load(files: TlsFiles) -> Result<Self, TlsError> {
        let provider = Arc::new(ring::default_provider());
        let current = RwLock::new(read(&files, &provider)?);
        Ok(Self { files, provider, current })
    }

    /// What the server needs: TLS 1.2 and 1.3, HTTP/2 and HTTP/1.1, no client certificates.
    ///
    /// # Errors
    /// If the TLS library has no such versions.
    pub fn server_config(self: &Arc<Self>) -> Result<ServerConfig, TlsError> {
        let config = ServerConfig::builder_with_provider(self.provider.clone())
            .with_safe_default_protocol_versions()
            .map_err(TlsError::Setup)?
            .with_no_client_auth()
            .with_cert_resolver(self.clone());
        Ok(config)
    }

    /// Reads the files again; true if they held something new. If they can't be used, what was there stays.
    fn reload(&self) -> Result<bool, TlsError> {
        let loaded = read(&self.files, &self.provider)?;
        let mut current = self.current.write().unwrap_or_else(PoisonError::into_inner);
        let is_new = current.digest != loaded.digest;
        *current = loaded;
        Ok(is_new)
    }

    /// Follows the files until the shutdown is requested: every few seconds, and at once at SIGHUP.
    pub async fn follow(self: Arc<Self>, shutdown: Shutdown) {
        let mut hangup = match signal(SignalKind::hangup()) {
            Ok(hangup) => hangup,
            Err(error) => {
                warn!(error = crate::causes::chain(&error), "certificates won't be read again");
                return;
            }
        };
        let mut look = interval(LOOK);
        look.set_missed_tick_behavior(MissedTickBehavior::Delay);
        // A pair of files is not replaced in one instant: only what stays wrong is worth a warning, and only once.
        let mut failures = 0_u32;
        loop {
            tokio::select! {
                _ = look.tick() => {}
                _ = hangup.recv() => {}
                () = shutdown.requested() => return,
            }
            let certificates = self.clone();
            let reading = tokio::task::spawn_blocking(move || certificates.reload());
            match timeout(READ_LIMIT, reading).await {
                Ok(Ok(Ok(is_new))) => {
                    failures = 0;
                    if is_new {
                        info!("new connections get the new certificate");
                    }
                }
                Ok(Ok(Err(error))) => {
                    failures = failures.saturating_add(1);
                    if failures == 2 {
                        warn!(
                            error = crate::causes::chain(&error),
                            "the certificate files can't be used; the old certificate stays"
                        );
                    }
                }
                Ok(Err(_)) | Err(_) => warn!("the certificate files could not be read in time"),
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
