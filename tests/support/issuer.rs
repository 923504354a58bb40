//! An OIDC issuer in this process: it publishes the keys that a test gives it, signs what real issuers would not sign, and
//! misbehaves on demand.

#![allow(dead_code, reason = "each test binary uses a part of it")]

use std::net::SocketAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::rand::SystemRandom;
use ring::signature::{
    ECDSA_P256_SHA256_FIXED_SIGNING, ECDSA_P384_SHA384_FIXED_SIGNING, EcdsaKeyPair, Ed25519KeyPair, KeyPair,
    RSA_PKCS1_SHA256, RSA_PSS_SHA256, RsaKeyPair,
};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

/// A 2048-bit RSA key in PKCS#8, made for these tests: `ring` generates none.
const RSA: &[u8] = include_bytes!("rsa-key.der");

pub fn base64url(bytes: &[u8]) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

/// A private key with its id and algorithm.
pub struct SigningKey {
    pub id: String,
    algorithm: &'static str,
    pair: Pair,
}

enum Pair {
    Rsa(Box<RsaKeyPair>),
    Curve(EcdsaKeyPair),
    Ed(Ed25519KeyPair),
}

impl SigningKey {
    pub fn generate(id: &str, algorithm: &'static str) -> Self {
        let random = SystemRandom::new();
        let curve = |curve| {
            let document = EcdsaKeyPair::generate_pkcs8(curve, &random).expect("a key");
            Pair::Curve(EcdsaKeyPair::from_pkcs8(curve, document.as_ref(), &random).expect("a key"))
        };
        let pair = match algorithm {
            "RS256" | "PS256" => Pair::Rsa(Box::new(RsaKeyPair::from_pkcs8(RSA).expect("a key"))),
            "ES256" => curve(&ECDSA_P256_SHA256_FIXED_SIGNING),
            "ES384" => curve(&ECDSA_P384_SHA384_FIXED_SIGNING),
            "EdDSA" => {
                let document = Ed25519KeyPair::generate_pkcs8(&random).expect("a key");
                Pair::Ed(Ed25519KeyPair::from_pkcs8(document.as_ref()).expect("a key"))
            }
            other => panic!("no algorithm of this issuer: {other}"),
        };
        Self { id: id.to_owned(), algorithm, pair }
    }

    /// The public key as a JWK.
    pub fn jwk(&self) -> Value {
        let mut jwk = match &self.pair {
            Pair::Rsa(pair) => {
                let components: ring::rsa::PublicKeyComponents<Vec<u8>> = pair.public().into();
                json!({"kty": "RSA", "n": base64url(&components.n), "e": base64url(&components.e)})
            }
            Pair::Curve(pair) => {
                let (x, y) = pair.public_key().as_ref()[1..].split_at(pair.public_key().as_ref().len() / 2);
                let curve = if x.len() == 32 { "P-256" } else { "P-384" };
                json!({"kty": "EC", "crv": curve, "x": base64url(x), "y": base64url(y)})
            }
            Pair::Ed(pair) => {
                json!({"kty": "OKP", "crv": "Ed25519", "x": base64url(pair.public_key().as_ref())})
            }
        };
        for (member, value) in [("kid", self.id.as_str()), ("alg", self.algorithm), ("use", "sig")] {
            jwk[member] = json!(value);
        }
        jwk
    }

    /// A token with this key's usual header.
    pub fn token(&self, claims: &Value) -> String {
        self.token_with(&json!({"alg": self.algorithm, "kid": self.id, "typ": "JWT"}), claims)
    }

    /// A token with any header.
    pub fn token_with(&self, header: &Value, claims: &Value) -> String {
        let message = format!(
            "{}.{}",
            base64url(header.to_string().as_bytes()),
            base64url(claims.to_string().as_bytes())
        );
        let signature = self.sign(message.as_bytes());
        format!("{message}.{}", base64url(&signature))
    }

    pub fn sign(&self, message: &[u8]) -> Vec<u8> {
        let random = SystemRandom::new();
        match &self.pair {
            Pair::Rsa(pair) => {
                let scheme: &dyn ring::signature::RsaEncoding =
                    if self.algorithm == "PS256" { &RSA_PSS_SHA256 } else { &RSA_PKCS1_SHA256 };
                let mut signature = vec![0; pair.public().modulus_len()];
                pair.sign(scheme, &random, message, &mut signature).expect("a signature");
                signature
            }
            Pair::Curve(pair) => pair.sign(&random, message).expect("a signature").as_ref().to_vec(),
            Pair::Ed(pair) => pair.sign(message).as_ref().to_vec(),
        }
    }
}

/// What the issuer does with a request.
#[derive(Clone)]
pub enum Mood {
    /// Answers.
    Well,
    /// Answers with this status.
    Status(u16),
    /// Redirects to an address at which all would be well.
    Redirecting,
    /// Answers after this time.
    Slow(Duration),
    /// Never answers.
    Silent,
    /// Sends one byte of the answer a second.
    Dripping,
    /// Answers the keys with this text.
    Keys(String),
    /// Answers the discovery document with these members changed.
    Discovery(Value),
}

struct State {
    url: String,
    jwks: Mutex<Value>,
    mood: Mutex<Mood>,
    fetches: AtomicUsize,
}

/// A running issuer; stopped on drop.
pub struct Issuer {
    pub url: String,
    pub address: SocketAddr,
    state: Arc<State>,
    server: Mutex<Option<JoinHandle<()>>>,
}

impl Drop for Issuer {
    fn drop(&mut self) {
        self.stop();
    }
}

impl Issuer {
    /// Starts an issuer with these keys.
    pub async fn start(keys: &[&SigningKey]) -> Self {
        let issuer = Self::stopped(keys).await;
        issuer.restart().await;
        issuer
    }

    /// An issuer that does not listen yet.
    pub async fn stopped(keys: &[&SigningKey]) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("an address");
        let url = format!("http://{address}/realms/corp");
        let state = Arc::new(State {
            url: url.clone(),
            jwks: Mutex::default(),
            mood: Mutex::new(Mood::Well),
            fetches: AtomicUsize::new(0),
        });
        let issuer = Self { url, address, state, server: Mutex::default() };
        issuer.publish(keys);
        issuer
    }

    /// Listens at its address.
    pub async fn restart(&self) {
        let listener = TcpListener::bind(self.address).await.expect("the port");
        let state = self.state.clone();
        let server = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(answer(stream, state.clone()));
            }
        });
        *self.server.lock().expect("the server") = Some(server);
    }

    /// Refuses connections from now on.
    pub fn stop(&self) {
        if let Some(server) = self.server.lock().expect("the server").take() {
            server.abort();
        }
    }

    /// Publishes these keys and no others.
    pub fn publish(&self, keys: &[&SigningKey]) {
        let keys: Vec<Value> = keys.iter().map(|key| key.jwk()).collect();
        self.publish_raw(json!({ "keys": keys }));
    }

    pub fn publish_raw(&self, jwks: Value) {
        *self.state.jwks.lock().expect("the keys") = jwks;
    }

    pub fn is_now(&self, mood: Mood) {
        *self.state.mood.lock().expect("the mood") = mood;
    }

    /// How often the discovery document was asked for.
    pub fn fetches(&self) -> usize {
        self.state.fetches.load(Ordering::SeqCst)
    }

    /// Claims of a token for the gateway that is valid for an hour, with changes; `null` removes a claim.
    pub fn claims(&self, change: &Value) -> Value {
        let mut claims = json!({
            "iss": self.url, "aud": "tunnelgate", "sub": "4711", "preferred_username": "zoe",
            "iat": now(), "exp": now() + 3600, "groups": ["net-admins"]
        });
        for (name, value) in change.as_object().expect("an object") {
            claims[name] = value.clone();
        }
        claims.as_object_mut().expect("an object").retain(|_, value| !value.is_null());
        claims
    }
}

/// Seconds since 1970.
#[allow(clippy::disallowed_methods, reason = "an issuer has a clock of its own")]
pub fn now() -> u64 {
    std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).expect("after 1970").as_secs()
}

async fn answer(mut stream: TcpStream, state: Arc<State>) {
    let mut request = Vec::new();
    while !request.windows(4).any(|end| end == b"\r\n\r\n") {
        let mut part = [0; 4096];
        match stream.read(&mut part).await {
            Ok(0) | Err(_) => return,
            Ok(length) => request.extend_from_slice(&part[..length]),
        }
    }
    let request = String::from_utf8_lossy(&request).into_owned();
    let path = request.split(' ').nth(1).unwrap_or_default().to_owned();
    let mood = state.mood.lock().expect("the mood").clone();
    let jwks = state.jwks.lock().expect("the keys").to_string();
    let is_discovery = path.ends_with("/.well-known/openid-configuration");
    if is_discovery {
        state.fetches.fetch_add(1, Ordering::SeqCst);
    }
    let mut discovery = json!({
        "issuer": state.url,
        "authorization_endpoint": format!("{}/authorize", state.url),
        "token_endpoint": format!("{}/token", state.url),
        "jwks_uri": format!("{}/keys", state.url),
        "id_token_signing_alg_values_supported": ["RS256"]
    });
    let mut body = if is_discovery { discovery.to_string() } else { jwks };
    let mut head = "200 OK".to_owned();
    match mood {
        Mood::Well => {}
        Mood::Status(status) => head = format!("{status} Oops"),
        Mood::Redirecting if path.contains("?again") => {}
        Mood::Redirecting => head = format!("302 Found\r\nLocation: {path}?again"),
        Mood::Slow(time) => tokio::time::sleep(time).await,
        Mood::Silent => std::future::pending().await,
        Mood::Dripping => {
            let start = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n", body.len());
            for byte in [start.as_bytes(), body.as_bytes()].concat() {
                if stream.write_all(&[byte]).await.is_err() {
                    return;
                }
                tokio::time::sleep(Duration::from_secs(1)).await;
            }
            return;
        }
        Mood::Keys(keys) if !is_discovery => body = keys,
        Mood::Keys(_) => {}
        Mood::Discovery(change) => {
            if is_discovery {
                for (member, value) in change.as_object().expect("an object") {
                    discovery[member] = value.clone();
                }
                body = discovery.to_string();
            }
        }
    }
    let length = body.len();
    let answer = format!("HTTP/1.1 {head}\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n{body}");
    let _ = stream.write_all(answer.as_bytes()).await;
    let _ = stream.shutdown().await;
}
