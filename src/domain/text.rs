//! Texts that people read in terminals, logs and pages.

use std::borrow::Cow;
use std::fmt::Write;

/// True if no character of the text controls more than itself: no control character, none that breaks the line, none that
/// changes the direction of text. With one of them a name can show as another name.
#[must_use]
pub fn is_plain(text: &str) -> bool {
    text.chars().all(is_plain_character)
}

/// True if the character controls no more than itself.
#[must_use]
pub fn is_plain_character(character: char) -> bool {
    !character.is_control() && !is_line_or_direction_control(character)
}

/// `char::is_control` covers U+0085 and what ASCII has.
const fn is_line_or_direction_control(character: char) -> bool {
    matches!(character,
        '\u{2028}' | '\u{2029}' | '\u{061c}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

/// The text with line and direction controls, and the controls beyond ASCII, as `\u202e`: the form of JSON. ASCII controls
/// stay as they are.
#[must_use]
pub fn escaped(text: &str) -> Cow<'_, str> {
    let is_hidden = |c: char| !c.is_ascii() && (c.is_control() || is_line_or_direction_control(c));
    if !text.contains(is_hidden) {
        return Cow::Borrowed(text);
    }
    let mut shown = String::with_capacity(text.len() + 8);
    for character in text.chars() {
        if is_hidden(character) {
            // All of them are in the first plane.
            let _ = write!(shown, "\\u{:04x}", u32::from(character));
        } else {
            shown.push(character);
        }
    }
    Cow::Owned(shown)
}

#[cfg(test)]
mod tests {
    use super::{escaped, is_plain};

    #[test]
    fn controls_that_hide_become_visible() {
        assert_eq!(escaped("a\u{202e}b\u{2028}\u{85}"), "a\\u202eb\\u2028\\u0085");
        assert_eq!(escaped("größe 上海\n"), "größe 上海\n");
    }

    #[test]
    fn a_plain_text_neither_breaks_a_line_nor_changes_its_direction() {
        for control in [
            '\u{2028}', '\u{2029}', '\u{202e}', '\u{2066}', '\u{2069}', '\u{200f}', '\u{85}', '\u{7f}', '\0',
            '\n',
        ] {
            assert!(!is_plain(&format!("hq{control}")), "{control:?}");
        }
        // Joiners are part of how people write; letters have a direction of their own.
        for text in ["שלום", "a\u{200d}b", "größe", "上海 #1"] {
            assert!(is_plain(text), "{text}");
        }
    }
}
