//! Texts that may repeat a secret, as it is or in another spelling.

use secrecy::zeroize::Zeroizing;

/// What stands for a text that is not kept.
pub const WITHHELD: &str = "(withheld: it repeats a secret)";

/// What a text may have been before somebody encoded it: itself, and without the escapes of URLs, JSON and HTML.
#[must_use]
pub fn readings(text: &str) -> Vec<Zeroizing<String>> {
    let without_escapes = text.replace('\\', "");
    let entities =
        [("&lt;", "<"), ("&gt;", ">"), ("&quot;", "\""), ("&#34;", "\""), ("&#39;", "'"), ("&amp;", "&")];
    let html = entities.iter().fold(text.to_owned(), |text, (entity, plain)| text.replace(entity, plain));
    let lower = text.to_ascii_lowercase();
    let mut readings = vec![text.to_owned(), without_escapes, html, lower];
    for (name, value) in form_urlencoded::parse(text.as_bytes()) {
        readings.extend([name.into_owned(), value.into_owned()]);
    }
    readings.sort_unstable();
    readings.dedup();
    readings.into_iter().map(Zeroizing::new).collect()
}
