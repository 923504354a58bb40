//! Removes secrets from the cloud's texts. A broken server may echo the call, including the pre-shared key.

use secrecy::zeroize::Zeroizing;

use crate::domain::echo::{MAX_TEXT, WITHHELD, decodings};
use crate::domain::fingerprint::hex;

/// Texts contain shorter secrets by chance.
const TELLING: usize = 6;

/// The text without secrets and control characters, cut to the length limit. `text` must be uncut.
pub(super) fn cleaned(mut text: String, secrets: &[&str]) -> String {
    // The longest first: one may begin with another one.
    let mut longest: Vec<&str> = secrets.iter().copied().filter(|secret| !secret.is_empty()).collect();
    longest.sort_by_key(|secret| std::cmp::Reverse(secret.len()));
    for secret in longest {
        // The rest of the text would reveal a short secret that was cut out of it.
        if secret.len() < TELLING && text.contains(secret) {
            return WITHHELD.into();
        }
        text = text.replace(secret, "***");
    }
    if repeats(&text, secrets) {
        return WITHHELD.into();
    }
    tidy(&text)
}

/// The text without control characters (PostgreSQL's JSON has no U+0000), cut to the length limit.
pub(super) fn tidy(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { ' ' } else { c }).take(MAX_TEXT).collect()
}

/// The code in a form that can be stored; `None` if it contains a secret. A code that looks like a word stays whole, because
/// it is compared with known codes.
pub(super) fn cleaned_code(code: String, secrets: &[&str]) -> Option<String> {
    if repeats(&code, secrets) {
        return None;
    }
    let is_word =
        code.len() <= MAX_TEXT && code.bytes().all(|b| b.is_ascii_alphanumeric() || b"._-".contains(&b));
    Some(if is_word { code } else { cleaned(code, secrets) })
}

/// True if the text contains a secret, plain or encoded as in URLs, JSON, HTML or hex.
fn repeats(text: &str, secrets: &[&str]) -> bool {
    let mut secrets = secrets.iter().filter(|secret| secret.len() >= TELLING).peekable();
    if secrets.peek().is_none() {
        return false;
    }
    let decodings = decodings(text);
    secrets.any(|secret| {
        let plain = Zeroizing::new(secret.replace('\\', ""));
        let hex = Zeroizing::new(hex(secret.as_bytes()));
        // Texts contain a spelling that lost most of the secret by chance, like a short secret.
        let spellings = [*secret, &**plain, &**hex].into_iter().filter(|spelt| spelt.len() >= TELLING);
        spellings.into_iter().any(|spelt| decodings.iter().any(|decoded| decoded.contains(spelt)))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECRET: &str = "canary/+\"\\ &<%";

    #[test]
    fn a_secret_is_taken_out_and_the_words_around_it_stay() {
        let text = format!("key {SECRET} is\u{7} wrong");
        assert_eq!(cleaned(text, &["", SECRET]), "key *** is  wrong");
        assert_eq!(cleaned("no secret of ours".into(), &[SECRET]), "no secret of ours");
        assert_eq!(cleaned("ä".repeat(MAX_TEXT + 1), &[]).chars().count(), MAX_TEXT);
    }

    #[test]
    fn a_secret_that_begins_with_another_one_is_taken_out_whole() {
        let secrets = ["canary", "canary-0123456789"];
        assert_eq!(cleaned("canary-0123456789 is wrong".into(), &secrets), "*** is wrong");
    }

    #[test]
    fn a_text_that_spells_a_secret_in_another_way_is_withheld() {
        let form: String = form_urlencoded::byte_serialize(SECRET.as_bytes()).collect();
        let spelt = [
            format!("a=b&preSharedKey={form}&c=d"),
            form.replace('+', "%20"),
            form.replace("%2F", "%2f"),
            serde_json::json!({"preSharedKey": SECRET}).to_string(),
            serde_json::json!(SECRET).to_string().replace('/', "\\/"),
            SECRET.replace('&', "&amp;").replace('<', "&lt;").replace('"', "&quot;"),
            hex(SECRET.as_bytes()).to_uppercase(),
        ];
        for text in spelt {
            assert_eq!(cleaned(format!("wrong: {text}."), &[SECRET]), WITHHELD, "{text}");
        }
    }

    #[test]
    fn a_text_is_one_that_any_database_takes() {
        assert_eq!(tidy("a\u{0}b"), "a b");
        assert_eq!(tidy(&"ä".repeat(MAX_TEXT + 1)).chars().count(), MAX_TEXT);
    }

    #[test]
    fn a_short_secret_proves_nothing() {
        let code = |code: &str, secret: &str| cleaned_code(code.into(), &[secret]);
        assert_eq!(code("InvalidVpc.NotFound", "Vpc").as_deref(), Some("InvalidVpc.NotFound"));
        assert_eq!(code("4000", "0").as_deref(), Some("4000"));
        assert_eq!(code("tencenttest", "tencenttest"), None);
        assert_eq!(code("the Vpc", "Vpc").as_deref(), Some(WITHHELD));
        assert_eq!(cleaned("a parameter is missing".into(), &["a"]), WITHHELD);
    }

    #[test]
    fn a_secret_of_escapes_does_not_stand_in_every_text() {
        for secret in [r"\\\\\\", r"\\\\\0"] {
            assert_eq!(cleaned_code("0".into(), &[secret]).as_deref(), Some("0"), "{secret}");
            assert_eq!(cleaned("all is well".into(), &[secret]), "all is well", "{secret}");
            assert_eq!(cleaned(format!("not {secret}"), &[secret]), "not ***");
        }
    }
}
