//! Clouds without a connection: the log, the metrics and `GET /accounts` name the cause, the consumer's answer stays.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;

use rustls::pki_types::PrivatePkcs8KeyDer;
use rustls::{ServerConfig, ServerConnection};
use serde_json::{Value, json};

use crate::process::{Process, run};
use crate::support::Store;
use crate::support::consumer::Consumer;

/// The account of each cause, the cause, and a part of the library's words in the log.
const CAUSES: [(&str, &str, &str); 6] = [
    ("refused", "refused", "Connection refused"),
    ("dns", "dns", "dns error"),
    ("tls", "tls", "UnknownIssuer"),
    ("proxy", "proxy", "proxy authorization required"),
    ("silent", "timeout", "operation timed out"),
    ("hasty", "tls", "tls handshake eof"),
];
const PROXY_PASSWORD: &str = "canary-0123456789";

/// Answers each connection to a new port of this machine on a thread of its own.
fn on_port(answer: impl Fn(TcpStream) + Send + Clone + 'static) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let port = listener.local_addr().expect("an address").port();
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let answer = answer.clone();
            std::thread::spawn(move || answer(stream));
        }
    });
    port
}

/// A TLS server whose certificate no CA of this machine has signed.
fn with_unknown_ca() -> u16 {
    let certified = rcgen::generate_simple_self_signed(["127.0.0.1".to_owned()]).expect("a certificate");
    let key = PrivatePkcs8KeyDer::from(certified.signing_key.serialize_der());
    let config = ServerConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_safe_default_protocol_versions()
        .expect("versions")
        .with_no_client_auth()
        .with_single_cert(vec![certified.cert.der().clone()], key.into())
        .expect("a server");
    let config = Arc::new(config);
    on_port(move |mut stream| {
        let mut connection = ServerConnection::new(config.clone()).expect("a connection");
        while connection.complete_io(&mut stream).is_ok_and(|(read, written)| read + written > 0) {}
    })
}

/// A proxy that asks for other credentials.
fn refusing_proxy() -> u16 {
    on_port(|mut stream| {
        let lines = BufReader::new(stream.try_clone().expect("a stream")).lines();
        for _ in lines.map_while(Result::ok).take_while(|line| !line.is_empty()) {}
        let _ = stream.write_all(b"HTTP/1.1 407 Proxy Authentication Required\r\ncontent-length: 0\r\n\r\n");
    })
}

fn lines(gateway: &Process, message: &str) -> Vec<Value> {
    let parsed =
        gateway.stderr().lines().filter_map(|line| serde_json::from_str(line).ok()).collect::<Vec<Value>>();
    parsed.into_iter().filter(|line| line["message"] == message).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_cause_of_a_missing_connection_is_named_to_operators() {
    let silent = TcpListener::bind("127.0.0.1:0").expect("a port");
    let silent_port = silent.local_addr().expect("an address").port();
    let nobody = TcpListener::bind("127.0.0.1:0").expect("a port").local_addr().expect("an address").port();
    let local = |port: u16| format!("https://127.0.0.1:{port}/");
    let urls = [
        local(nobody),
        "https://cloud.invalid/".to_owned(),
        local(with_unknown_ca()),
        "https://behind-the-proxy.example/".to_owned(),
        local(silent_port),
        local(on_port(|mut stream| drop(stream.read(&mut [0; 16 * 1024])))),
    ];
    let folder = tempfile::tempdir().expect("a folder");
    let mut config = "fingerprint_key_file = \"key\"\n".to_owned();
    for ((name, ..), url) in CAUSES.iter().zip(urls) {
        config += &format!(
            "[[accounts]]\nname = \"{name}\"\nvpcs = [\"vpc-{name}\"]\napi = \"v3\"\nregion = \"ap-guangzhou\"\n\
             secret_id = \"AKID\"\nsecret_key_file = \"key\"\ntimeout = \"2s\"\nurl = \"{url}\"\n"
        );
    }
    std::fs::write(folder.path().join("tunnelgate.toml"), config).expect("written");
    std::fs::write(folder.path().join("key"), "a-key").expect("written");
    let store = Store::sqlite();
    let args = ["keys", "create", "--name", "one", "--scope", "tunnels:read", "--scope", "tunnels:write"];
    let key = run(folder.path(), &args, &[("DATABASE_URL", store.url())]);
    let token = String::from_utf8(key.stdout).expect("text").trim().to_owned();
    let proxy = format!("http://user:{PROXY_PASSWORD}@127.0.0.1:{}", refusing_proxy());
    let env = [
        ("DATABASE_URL", store.url()),
        ("TUNNELGATE_CONFIG", "tunnelgate.toml"),
        ("TUNNELGATE_LISTEN", "127.0.0.1:0"),
        ("TUNNELGATE_SHUTDOWN_DELAY", "0s"),
        ("TUNNELGATE_LOG", "trace"),
        ("TUNNELGATE_LOG_FORMAT", "json"),
        ("HTTPS_PROXY", &proxy),
        ("NO_PROXY", "cloud.invalid"),
    ];
    let mut gateway = Process::start(folder.path(), "gateway", &["serve"], &env);
    let consumer = Consumer::new(gateway.address(), token);

    let asked = CAUSES.map(|(name, ..)| {
        let consumer = consumer.clone();
        async move {
            let tunnel = format!("/vpcs/vpc-{name}/gateways/vpngw-1/tunnels/vpnx-1");
            let patch = json!({"name": "new"});
            (consumer.get(&tunnel, &[]).await, consumer.patch(&tunnel, &patch, &[]).await)
        }
    });
    let answers = futures_util::future::join_all(asked).await;
    let accounts = consumer.get("/accounts", &[]).await;
    let metrics = consumer.get("/metrics", &[]).await.body;
    for ((name, cause, words), (read, change)) in CAUSES.into_iter().zip(answers) {
        assert_eq!(read.problem(), (503, "tunnel_unreadable".into()), "{name}");
        assert_eq!(change.problem(), (503, "tunnel_unreadable".into()), "{name}");
        let found = accounts.json()["items"]
            .as_array()
            .expect("items")
            .iter()
            .find(|one| one["name"] == name)
            .cloned();
        let account = found.expect("the account");
        assert_eq!(account["reachable"], false, "{account}");
        assert_eq!(
            (&account["last_error"]["code"], &account["last_error"]["cause"]),
            (&json!("unreachable"), &json!(cause)),
            "{name}"
        );
        let logged: Vec<Value> = lines(&gateway, "no connection to the cloud")
            .into_iter()
            .filter(|line| line["account"] == name)
            .collect();
        // Two calls with several attempts each, and one line.
        assert_eq!(logged.len(), 1, "{name}: {logged:?}");
        assert_eq!((&logged[0]["level"], &logged[0]["cause"]), (&json!("WARN"), &json!(cause)));
        assert!(logged[0]["error"].as_str().is_some_and(|error| error.contains(words)), "{}", logged[0]);
        let sample =
            format!("tunnelgate_cloud_connection_failures_total{{cause=\"{cause}\",account=\"{name}\"}} ");
        let counted = metrics.lines().find_map(|line| line.strip_prefix(&sample)?.parse::<u64>().ok());
        assert!(counted >= Some(2), "{name}: {counted:?}");
        for shown in [&read.body, &change.body, &accounts.body, &metrics, &gateway.stderr()] {
            assert!(!shown.contains(PROXY_PASSWORD));
        }
    }
    drop(silent);
    assert!(gateway.terminate().success());
}
