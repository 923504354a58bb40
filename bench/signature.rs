//! One whole signature (sort, join, HMAC-SHA1, base64, form) against the bare HMAC-SHA1 of the same bytes.

#![allow(clippy::expect_used, clippy::print_stdout, reason = "a benchmark prints what it measures")]

use std::hint::black_box;
use std::time::Instant;

use hmac::{Hmac, KeyInit, Mac};
use sha1::Sha1;
use tunnelgate::cloud::v2::sign::{self, Method, SignatureMethod, Target};

const SECRET_KEY: &str = "Gu5t9xGARNpq86cd98joQYCN3EXAMPLE";
const ROUNDS: usize = 21;
const TIMES: usize = 20_000;

/// The nanoseconds of one call of `work`.
fn time(mut work: impl FnMut()) -> f64 {
    let started = Instant::now();
    for _ in 0..TIMES {
        work();
    }
    started.elapsed().as_nanos() as f64 / TIMES as f64
}

fn main() {
    let params = [
        ("Action", "ModifyVpnConnEx"),
        ("vpcId", "vpc-03vihbk9"),
        ("vpnGwId", "vpngw-kfldykuz"),
        ("vpnConnId", "vpnx-ol6bcqp0"),
        ("preSharedKey", "tencenttest!with-some-more-characters"),
        ("userGwCidrBlock.0", "10.100.2.0/24"),
        ("userGwCidrBlock.1", "10.100.3.0/24"),
        ("IKESet.0.propoEncryAlgorithm", "aes-cbc-256"),
        ("IKESet.0.propoAuthenAlgorithm", "sha"),
        ("IKESet.0.exchangeMode", "main"),
        ("IKESet.0.dhGroupName", "group14"),
        ("IKESet.0.ikeSaLifetimeSeconds", "86400"),
        ("IPsecSet.0.integrityAlgorith", "sha"),
        ("IPsecSet.0.ipsecSaLifetimeSeconds", "3600"),
        ("encryptAlgorithm", "aes-cbc-256"),
        ("Region", "ap-guangzhou"),
        ("Timestamp", "1465185829"),
        ("Nonce", "4611686018427387903"),
        ("SecretId", "AKIDz8krbsJ5yKBZQpn74WFkmLPx3EXAMPLE"),
        ("SignatureMethod", "HmacSHA1"),
    ];
    let target = Target { method: Method::Post, host: "vpc.api.qcloud.com", path: "/v2/index.php" };
    let bytes = sign::string_to_sign(target, &params).expose().as_bytes().to_vec();
    let mut ratios: Vec<f64> = (0..ROUNDS)
        .map(|_| {
            let bare = time(|| {
                let mut mac = <Hmac<Sha1> as KeyInit>::new_from_slice(black_box(SECRET_KEY.as_bytes()))
                    .expect("a key of any length");
                mac.update(black_box(&bytes));
                black_box(mac.finalize());
            });
            let whole = time(|| {
                let text = sign::string_to_sign(target, black_box(&params));
                let signature = sign::signature(SignatureMethod::HmacSha1, SECRET_KEY, &text);
                black_box(sign::form(black_box(&params), &signature));
            });
            whole / bare
        })
        .collect();
    ratios.sort_unstable_by(f64::total_cmp);
    println!("{} bytes are signed", bytes.len());
    println!("RATIO {:.2}", ratios[ROUNDS / 2]);
}
