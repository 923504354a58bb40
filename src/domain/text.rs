//! Texts that people read in terminals, logs and pages.

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

#[cfg(test)]
mod tests {
    use super::is_plain;

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
