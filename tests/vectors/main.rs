//! Compares signatures of the cloud's own SDKs with the gateway's signer and the simulated cloud's, stage by stage; a
//! failure names the entry and the stage. `TUNNELGATE_VECTORS` names another folder of vectors.

#![allow(clippy::expect_used, clippy::panic, reason = "a test that can't go on fails")]

mod v2;
mod v3;

use std::path::PathBuf;

use serde::de::DeserializeOwned;

/// The vectors of a file.
fn vectors<T: DeserializeOwned>(file: &str) -> Vec<T> {
    let folder = std::env::var_os("TUNNELGATE_VECTORS")
        .map_or_else(|| PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/vectors"), PathBuf::from);
    let file = folder.join(file);
    let text = std::fs::read_to_string(&file).unwrap_or_else(|e| panic!("{}: {e}", file.display()));
    let vectors: Vec<T> = serde_json::from_str(&text).expect("vectors");
    assert!(!vectors.is_empty());
    vectors
}
