//! Searches files for a secret in all its spellings.

use std::path::{Path, PathBuf};
use std::process::Command;

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE};
use tunnelgate::domain::fingerprint::hex;

/// The shortest piece of a base64 text to search for; shorter pieces match by chance.
const SHORTEST: usize = 12;

/// The spellings of a secret that a search looks for.
pub fn spellings(secret: &str) -> Vec<String> {
    let bytes = secret.as_bytes();
    let form: String = form_urlencoded::byte_serialize(bytes).collect();
    let percent = form.replace('+', "%20");
    let json = serde_json::json!(secret).to_string();
    let json = json.trim_matches('"').to_owned();
    let html = secret.replace('&', "&amp;").replace('<', "&lt;").replace('"', "&quot;");
    let list: Vec<String> = bytes.iter().map(ToString::to_string).collect();
    let mut found = vec![
        secret.to_owned(),
        hex(bytes),
        hex(bytes).to_uppercase(),
        percent.to_lowercase(),
        percent,
        form,
        json.replace('/', "\\/"),
        json.replace('\\', "\\\\").replace('"', "\\\""),
        json,
        html,
        // The `Debug` output of a slice of bytes.
        list.join(", "),
    ];
    // Base64 differs at each of three offsets, and its edges depend on the neighbouring bytes.
    for shift in 0..3 {
        let shifted: Vec<u8> = std::iter::repeat_n(0, shift).chain(bytes.iter().copied()).collect();
        for alphabet in [&STANDARD, &URL_SAFE] {
            let text = alphabet.encode(&shifted);
            let (from, to) = ((shift * 8).div_ceil(6), shifted.len() * 8 / 6);
            if to - from >= SHORTEST {
                found.push(text[from..to].to_owned());
            }
        }
    }
    found.sort_unstable();
    found.dedup();
    found
}

/// The files below these folders that contain one of the texts, byte for byte.
pub fn holding(texts: &[String], places: &[PathBuf], patterns: &Path) -> Vec<String> {
    std::fs::write(patterns, texts.join("\n")).expect("written");
    let output = Command::new("grep")
        .env("LC_ALL", "C")
        .args(["-r", "-l", "-a", "-F", "-f"])
        .arg(patterns)
        .args(places)
        .output()
        .expect("grep runs");
    std::fs::remove_file(patterns).expect("removed");
    // 1: no match. 2: a file of the server disappeared during the search.
    assert!(output.status.code().is_some_and(|code| code <= 2), "{output:?}");
    String::from_utf8_lossy(&output.stdout).lines().map(str::to_owned).collect()
}

/// The first lines of a file that contain one of the texts, for the failure message.
pub fn lines(texts: &[String], file: &str) -> Vec<String> {
    let bytes = std::fs::read(file).unwrap_or_default();
    let text = String::from_utf8_lossy(&bytes);
    let holds = |line: &&str| texts.iter().any(|text| line.contains(text.as_str()));
    text.lines().filter(holds).take(3).map(|line| line.chars().take(400).collect()).collect()
}

#[test]
fn the_search_finds_every_spelling() {
    let folder = tempfile::tempdir().expect("a folder");
    let secret = "canary/+\"\\&0123456789";
    let around: Vec<u8> = [b"xy".as_slice(), secret.as_bytes(), b"z"].concat();
    let spelt = [
        secret.to_owned(),
        serde_json::json!({"key": secret}).to_string(),
        serde_json::json!(serde_json::json!({"key": secret}).to_string()).to_string(),
        form_urlencoded::Serializer::new(String::new()).append_pair("key", secret).finish(),
        STANDARD.encode(secret),
        STANDARD.encode(&around),
        URL_SAFE.encode(&around[1..]),
        hex(&around),
        format!("{:?}", secret.as_bytes()),
        format!("{:?}", Some(secret)),
    ];
    let patterns = folder.path().join("patterns");
    let file = folder.path().join("file");
    let search = || holding(&spellings(secret), std::slice::from_ref(&file), &patterns);
    for text in spelt {
        std::fs::write(&file, format!("\0\u{1}before {text} after\n")).expect("written");
        assert_eq!(search(), [file.display().to_string()], "{text}");
    }
    std::fs::write(&file, "canary and nothing else").expect("written");
    assert!(search().is_empty());
}
