//! TLS: HTTP/2, versions, and certificates that change while connections are open.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::time::Instant;

use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair};
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};

use crate::installation::Installation;
use crate::process::Process;
use crate::support::Store;
use crate::support::consumer::PATIENCE;

/// A certificate authority for tests, and the files that the gateway reads.
pub struct Authority {
    issuer: Issuer<'static, KeyPair>,
    root: CertificateDer<'static>,
    root_file: PathBuf,
    certificate_file: PathBuf,
    key_file: PathBuf,
}

impl Authority {
    pub fn new(folder: &Path) -> Self {
        let key = KeyPair::generate().expect("a key");
        let mut params = CertificateParams::new(Vec::new()).expect("parameters");
        params.distinguished_name.push(DnType::CommonName, "a test's authority");
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let root = params.self_signed(&key).expect("a root");
        let root_file = folder.join("ca.pem");
        std::fs::write(&root_file, root.pem()).expect("written");
        let (certificate_file, key_file) = (folder.join("tls.crt"), folder.join("tls.key"));
        let issuer = Issuer::new(params, key);
        Self { issuer, root: root.der().clone(), root_file, certificate_file, key_file }
    }

    /// Writes a new certificate and key to the gateway's files.
    pub fn issue(&self) -> CertificateDer<'static> {
        let key = KeyPair::generate().expect("a key");
        let mut params = CertificateParams::new(vec!["localhost".into(), "127.0.0.1".into()]).expect("names");
        params.distinguished_name.push(DnType::CommonName, "localhost");
        let certificate = params.signed_by(&key, &self.issuer).expect("a certificate");
        std::fs::write(&self.certificate_file, certificate.pem()).expect("written");
        std::fs::write(&self.key_file, key.serialize_pem()).expect("written");
        certificate.der().clone()
    }

    pub fn flags(&self) -> Vec<String> {
        let file = |path: &Path| path.display().to_string();
        vec![
            "serve".into(),
            "--tls-cert-file".into(),
            file(&self.certificate_file),
            "--tls-key-file".into(),
            file(&self.key_file),
        ]
    }

    fn serve(&self, installation: &Installation) -> Process {
        let flags = self.flags();
        installation.serve_with("gateway", &flags.iter().map(String::as_str).collect::<Vec<_>>())
    }

    pub fn connect(&self, address: &str, protocols: &[&str]) -> Connection {
        let mut roots = RootCertStore::empty();
        roots.add(self.root.clone()).expect("a root");
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let mut config = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .expect("versions")
            .with_root_certificates(roots)
            .with_no_client_auth();
        config.alpn_protocols = protocols.iter().map(|name| name.as_bytes().to_vec()).collect();
        let name = ServerName::try_from("localhost").expect("a name");
        let mut client = ClientConnection::new(Arc::new(config), name).expect("a client");
        let mut socket = TcpStream::connect(address.trim_start_matches("https://")).expect("connected");
        while client.is_handshaking() {
            client.complete_io(&mut socket).expect("a handshake");
        }
        Connection(BufReader::new(StreamOwned::new(client, socket)))
    }

    /// Runs curl, which supports HTTP/2.
    pub fn curl(&self, args: &[&str]) -> (bool, String) {
        let output = Command::new("curl")
            .args(["-sS", "--noproxy", "*", "--cacert"])
            .arg(&self.root_file)
            .args(args)
            .output()
            .expect("curl runs");
        let text =
            String::from_utf8_lossy(if output.status.success() { &output.stdout } else { &output.stderr });
        (output.status.success(), text.into_owned())
    }
}

/// A TLS session on a socket.
pub type Tls = StreamOwned<ClientConnection, TcpStream>;

pub struct Connection(BufReader<Tls>);

impl Connection {
    pub fn into_inner(self) -> Tls {
        self.0.into_inner()
    }

    fn tls(&self) -> &ClientConnection {
        &self.0.get_ref().conn
    }

    fn certificate(&self) -> CertificateDer<'static> {
        self.tls().peer_certificates().expect("certificates")[0].clone().into_owned()
    }

    /// Sends a request on this connection.
    fn get(&mut self, path: &str) -> String {
        let request = format!("GET {path} HTTP/1.1\r\nhost: localhost\r\n\r\n");
        self.0.get_mut().write_all(request.as_bytes()).expect("sent");
        let (mut status, mut length) = (String::new(), 0);
        self.0.read_line(&mut status).expect("a status line");
        loop {
            let mut line = String::new();
            self.0.read_line(&mut line).expect("a header");
            if let Some(value) = line.to_lowercase().strip_prefix("content-length:") {
                length = value.trim().parse().expect("a length");
            }
            if line.trim().is_empty() {
                break;
            }
        }
        let mut body = vec![0; length];
        self.0.read_exact(&mut body).expect("a body");
        status.trim().to_owned()
    }
}

#[tokio::test]
async fn http_2_and_http_1_1_are_spoken_over_tls_1_2_and_1_3() {
    let installation = Installation::new(Store::sqlite()).await;
    let authority = Authority::new(installation.path());
    authority.issue();
    let token = installation.token();
    let mut gateway = authority.serve(&installation);
    let address = gateway.address();
    assert!(address.starts_with("https://"), "{address}");

    let url = format!("{}/operations", address.replace("127.0.0.1", "localhost"));
    let bearer = format!("authorization: Bearer {token}");
    let asked = ["-H", &bearer, "-w", " %{http_version} %{http_code}", &url];
    for (flags, version) in
        [(&["--http2"][..], "2"), (&["--http1.1"], "1.1"), (&["--http2", "--tls-max", "1.2"], "2")]
    {
        let args: Vec<&str> = flags.iter().chain(&asked).copied().collect();
        let (is_ok, text) = authority.curl(&args);
        assert!(is_ok && text.ends_with(&format!(" {version} 200")), "{flags:?}: {text}");
        assert!(text.starts_with("{\"items\":[]"), "{text}");
    }
    let (is_ok, heads) = authority.curl(&["--http2", "--head", "-H", &bearer, &url]);
    assert!(is_ok && heads.starts_with("HTTP/2 200"), "{heads}");
    assert!(heads.contains("strict-transport-security: max-age=31536000\r\n"), "{heads}");
    let args: Vec<&str> =
        ["--tls-max", "1.1", "--ciphers", "DEFAULT@SECLEVEL=0"].iter().chain(&asked).copied().collect();
    let (is_ok, text) = authority.curl(&args);
    assert!(!is_ok, "TLS 1.1 is refused: {text}");

    let chosen = |offered: &[&str]| {
        let connection = authority.connect(&address, offered);
        connection.tls().alpn_protocol().map(|name| String::from_utf8_lossy(name).into_owned())
    };
    assert_eq!(chosen(&["h2", "http/1.1"]), Some("h2".into()));
    assert_eq!(chosen(&["http/1.1"]), Some("http/1.1".into()));
    assert_eq!(chosen(&[]), None);
    assert!(gateway.terminate().success());
}

#[tokio::test]
async fn a_new_certificate_is_taken_up_without_dropping_connections() {
    let installation = Installation::new(Store::sqlite()).await;
    let authority = Authority::new(installation.path());
    let first = authority.issue();
    let mut gateway = authority.serve(&installation);
    let address = gateway.address();
    let mut open = authority.connect(&address, &["http/1.1"]);
    assert_eq!(open.certificate(), first);
    assert_eq!(open.get("/livez"), "HTTP/1.1 200 OK");

    let second = authority.issue();
    assert_ne!(first, second);
    gateway.hang_up();
    let until = Instant::now() + PATIENCE;
    while authority.connect(&address, &["http/1.1"]).certificate() != second {
        assert!(Instant::now() < until, "the new certificate is not taken up:\n{}", gateway.stderr());
        std::thread::sleep(std::time::Duration::from_millis(20));
    }
    assert_eq!(open.get("/livez"), "HTTP/1.1 200 OK", "the old connection keeps working");

    // A new certificate without its key: the gateway keeps the old pair.
    std::fs::write(&authority.key_file, KeyPair::generate().expect("a key").serialize_pem())
        .expect("written");
    gateway.hang_up();
    gateway.hang_up();
    gateway.await_output("warning", |output| {
        output.contains("the key does not belong to the certificate").then_some(())
    });
    let mut fresh = authority.connect(&address, &["http/1.1"]);
    assert_eq!(fresh.certificate(), second);
    assert_eq!(fresh.get("/livez"), "HTTP/1.1 200 OK");

    // Without a signal too: the gateway notices a renewed certificate by itself.
    let third = authority.issue();
    let until = Instant::now() + PATIENCE;
    while authority.connect(&address, &["http/1.1"]).certificate() != third {
        assert!(Instant::now() < until, "the files are not looked at:\n{}", gateway.stderr());
        assert_eq!(open.get("/livez"), "HTTP/1.1 200 OK", "in use, so that it is not closed as idle");
        std::thread::sleep(std::time::Duration::from_millis(50));
    }
    assert_eq!(open.get("/livez"), "HTTP/1.1 200 OK");
    drop((open, fresh));
    assert!(gateway.terminate().success());
}

#[tokio::test]
async fn wrong_files_stop_the_start_with_one_clear_line() {
    let installation = Installation::new(Store::sqlite()).await;
    let authority = Authority::new(installation.path());
    authority.issue();
    let (certificate, key) =
        (authority.certificate_file.display().to_string(), authority.key_file.display().to_string());
    let foreign = installation.path().join("foreign.key").display().to_string();
    std::fs::write(&foreign, KeyPair::generate().expect("a key").serialize_pem()).expect("written");
    let cases: &[(&[&str], &str)] = &[
        (&["--tls-cert-file", &certificate], "TUNNELGATE_TLS_KEY_FILE (--tls-key-file): is missing"),
        (&["--tls-key-file", &key], "TUNNELGATE_TLS_CERT_FILE (--tls-cert-file): is missing"),
        (
            &["--tls-cert-file", "/nowhere.pem", "--tls-key-file", &key],
            "(--tls-cert-file): can't read /nowhere.pem",
        ),
        (&["--tls-cert-file", &key, "--tls-key-file", &key], "contains no PEM certificate"),
        (
            &["--tls-cert-file", &certificate, "--tls-key-file", &certificate],
            "contains no PEM private key that is not encrypted",
        ),
        (
            &["--tls-cert-file", &certificate, "--tls-key-file", &foreign],
            "the key does not belong to the certificate",
        ),
    ];
    for (flags, expected) in cases {
        let args: Vec<&str> = ["serve", "--log", "error"].iter().chain(*flags).copied().collect();
        let output = installation.run(&args);
        let told = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{told}");
        assert!(told.contains(expected) && told.lines().count() == 1, "{flags:?}: {told}");
        assert!(!told.contains("PRIVATE"), "{told}");
    }
}
