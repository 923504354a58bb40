//! Texts that may repeat a secret, in clear or encoded.

use secrecy::zeroize::Zeroizing;

/// Length limit of a stored text, in characters.
pub const MAX_TEXT: usize = 500;
/// Replaces a text that repeats a secret.
pub const WITHHELD: &str = "(withheld: it repeats a secret)";

/// The text itself, the text in lower case, and the text with the escapes of URLs, JSON or HTML decoded.
#[must_use]
pub fn decodings(text: &str) -> Vec<Zeroizing<String>> {
    let without_escapes = text.replace('\\', "");
    let entities =
        [("&lt;", "<"), ("&gt;", ">"), ("&quot;", "\""), ("&#34;", "\""), ("&#39;", "'"), ("&amp;", "&")];
    let html = entities.iter().fold(text.to_owned(), |text, (entity, plain)| text.replace(entity, plain));
    let lower = text.to_ascii_lowercase();
    let mut decodings = vec![text.to_owned(), without_escapes, html, lower];
    for (name, value) in form_urlencoded::parse(text.as_bytes()) {
        decodings.extend([name.into_owned(), value.into_owned()]);
    }
    decodings.sort_unstable();
    decodings.dedup();
    decodings.into_iter().map(Zeroizing::new).collect()
}
