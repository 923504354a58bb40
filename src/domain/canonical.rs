//! Canonical JSON (RFC 8785) from JSON text.
//!
//! The fast path copies tokens that are canonical already and sorts the members of objects. It leaves everything else to
//! a general writer: numbers with fractions, names that need escapes, unusual escapes, invalid JSON.

use serde_json::Value;

/// Nested arrays and objects that the fast path follows.
const MAX_DEPTH: u32 = 32;

/// Digits of a whole number that every JSON reader reads exactly.
const SAFE_DIGITS: usize = 15;

/// Why a text has no canonical form.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NotCanonical {
    /// The text is not JSON.
    NotJson,
    /// The text contains a number that JSON cannot represent.
    Number,
}

/// Writes canonical JSON and keeps its buffers for the next value.
#[derive(Debug, Default)]
pub struct Writer {
    pub out: Vec<u8>,
    members: Vec<Member>,
    sorted: Vec<u8>,
}

/// A member of an object in `out`.
#[derive(Debug, Clone, Copy)]
struct Member {
    /// The start of the name's quoted text.
    start: usize,
    /// The end of the name's quoted text.
    name_end: usize,
    end: usize,
}

impl Writer {
    /// Appends the canonical form of a JSON text.
    ///
    /// # Errors
    /// If the text has no canonical form; `out` may contain a part of it.
    pub fn json(&mut self, text: &str) -> Result<(), NotCanonical> {
        let start = self.out.len();
        let mut reader = Reader { text: text.as_bytes(), at: 0 };
        if self.value(&mut reader, 0).is_some() && reader.is_at_end() {
            return Ok(());
        }
        self.out.truncate(start);
        self.members.clear();
        let value: Value = serde_json::from_str(text).map_err(|_| NotCanonical::NotJson)?;
        let canonical = serde_json_canonicalizer::to_vec(&value).map_err(|_| NotCanonical::Number)?;
        self.out.extend_from_slice(&canonical);
        Ok(())
    }

    /// Appends a text as a JSON string.
    pub fn text(&mut self, text: &str) {
        if text.bytes().all(|byte| byte >= 0x20 && byte != b'"' && byte != b'\\') {
            self.out.push(b'"');
            self.out.extend_from_slice(text.as_bytes());
            self.out.push(b'"');
        } else {
            // Writing to memory does not fail, and serde_json's escapes are the canonical ones.
            let _ = serde_json::to_writer(&mut self.out, text);
        }
    }

    fn value(&mut self, reader: &mut Reader<'_>, depth: u32) -> Option<()> {
        match reader.next_token()? {
            b'{' if depth < MAX_DEPTH => self.object(reader, depth),
            b'[' if depth < MAX_DEPTH => self.array(reader, depth),
            b'"' => self.token(reader.string()?),
            b't' => self.token(reader.word(b"true")?),
            b'f' => self.token(reader.word(b"false")?),
            b'n' => self.token(reader.word(b"null")?),
            _ => self.token(reader.whole_number()?),
        }
    }

    #[allow(clippy::unnecessary_wraps, reason = "the last step of `value`")]
    fn token(&mut self, token: &[u8]) -> Option<()> {
        self.out.extend_from_slice(token);
        Some(())
    }

    fn array(&mut self, reader: &mut Reader<'_>, depth: u32) -> Option<()> {
        reader.at += 1;
        self.out.push(b'[');
        if reader.next_token()? != b']' {
            loop {
                self.value(reader, depth + 1)?;
                match reader.next_token()? {
                    b',' => reader.at += 1,
                    b']' => break,
                    _ => return None,
                }
                self.out.push(b',');
            }
        }
        reader.at += 1;
        self.out.push(b']');
        Some(())
    }

    fn object(&mut self, reader: &mut Reader<'_>, depth: u32) -> Option<()> {
        reader.at += 1;
        self.out.push(b'{');
        let (first, own) = (self.out.len(), self.members.len());
        if reader.next_token()? != b'}' {
            loop {
                let start = self.out.len();
                self.token(reader.name()?)?;
                let name_end = self.out.len();
                if reader.next_token()? != b':' {
                    return None;
                }
                reader.at += 1;
                self.out.push(b':');
                self.value(reader, depth + 1)?;
                self.members.push(Member { start, name_end, end: self.out.len() });
                match reader.next_token()? {
                    b',' => reader.at += 1,
                    b'}' => break,
                    _ => return None,
                }
                self.out.push(b',');
            }
        }
        reader.at += 1;
        self.sort(first, own)?;
        self.out.push(b'}');
        Some(())
    }

    /// Sorts the members of an object that starts at `first`. `None` if two members have the same name.
    fn sort(&mut self, first: usize, own: usize) -> Option<()> {
        let Self { out, members, sorted } = self;
        let name = |member: &Member| &out[member.start + 1..member.name_end - 1];
        if !members[own..].is_sorted_by(|a, b| name(a) < name(b)) {
            members[own..].sort_unstable_by(|a, b| name(a).cmp(name(b)));
            if members[own..].windows(2).any(|pair| name(&pair[0]) == name(&pair[1])) {
                return None;
            }
            sorted.clear();
            for member in &members[own..] {
                sorted.extend_from_slice(&out[member.start..member.end]);
                sorted.push(b',');
            }
            sorted.pop();
            out.truncate(first);
            out.extend_from_slice(sorted);
        }
        members.truncate(own);
        Some(())
    }
}

/// Reads tokens. `None` is for the general writer.
struct Reader<'a> {
    text: &'a [u8],
    at: usize,
}

impl<'a> Reader<'a> {
    /// The first byte of the next token.
    fn next_token(&mut self) -> Option<u8> {
        loop {
            let byte = *self.text.get(self.at)?;
            if !matches!(byte, b' ' | b'\n' | b'\r' | b'\t') {
                return Some(byte);
            }
            self.at += 1;
        }
    }

    fn is_at_end(&mut self) -> bool {
        self.next_token().is_none()
    }

    fn word(&mut self, word: &'static [u8]) -> Option<&'a [u8]> {
        let found = self.text.get(self.at..self.at + word.len())?;
        self.at += word.len();
        (found == word).then_some(found)
    }

    fn whole_number(&mut self) -> Option<&'a [u8]> {
        let rest = &self.text[self.at..];
        let sign = usize::from(rest.first() == Some(&b'-'));
        let digits = rest[sign..].iter().take_while(|byte| byte.is_ascii_digit()).count();
        let is_canonical = match rest.get(sign)? {
            b'0' => digits == 1 && sign == 0,
            _ => (1..=SAFE_DIGITS).contains(&digits),
        };
        if !is_canonical || matches!(rest.get(sign + digits), Some(b'.' | b'e' | b'E')) {
            return None;
        }
        self.at += sign + digits;
        Some(&rest[..sign + digits])
    }

    /// A string with its quotes.
    fn string(&mut self) -> Option<&'a [u8]> {
        let rest = &self.text[self.at..];
        let mut at = 1;
        loop {
            match *rest.get(at)? {
                b'"' => break,
                b'\\' => match rest.get(at + 1)? {
                    b'"' | b'\\' | b'b' | b'f' | b'n' | b'r' | b't' => at += 2,
                    _ => return None,
                },
                ..0x20 => return None,
                _ => at += 1,
            }
        }
        self.at += at + 1;
        Some(&rest[..=at])
    }

    /// A member's name with its quotes. The order of the bytes is the canonical order of names in ASCII.
    fn name(&mut self) -> Option<&'a [u8]> {
        if self.next_token()? != b'"' {
            return None;
        }
        let name = self.string()?;
        name.iter().all(|byte| byte.is_ascii() && *byte != b'\\').then_some(name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn canonical(text: &str) -> Result<String, NotCanonical> {
        let mut writer = Writer::default();
        writer.json(text)?;
        assert!(writer.members.is_empty());
        Ok(String::from_utf8(writer.out).expect("text"))
    }

    fn is_fast(text: &str) -> bool {
        let mut reader = Reader { text: text.as_bytes(), at: 0 };
        Writer::default().value(&mut reader, 0).is_some() && reader.is_at_end()
    }

    fn general(text: &str) -> String {
        let value: Value = serde_json::from_str(text).expect("JSON");
        String::from_utf8(serde_json_canonicalizer::to_vec(&value).expect("a canonical form")).expect("text")
    }

    #[test]
    fn the_fast_path_writes_what_the_general_writer_writes() {
        for text in [
            "null",
            " true ",
            "[]",
            "{}",
            "[ 1, -1, 0, 999999999999999, \"\" ]",
            r#"{"code": "0", "action": "ModifyVpnConnEx", "a": {"z": [{"b": 1, "a": 2}], "y": {}}, "ab": null}"#,
            r#"{"a": "上海 \"\\ \n\r\t\b\f", "A": "é", "_": false}"#,
        ] {
            assert!(is_fast(text), "{text}");
            assert_eq!(canonical(text), Ok(general(text)), "{text}");
        }
    }

    #[test]
    fn what_is_unusual_goes_to_the_general_writer() {
        for text in [
            "1.0",
            "1e3",
            "-0",
            "9007199254740993",
            r#""\u0041\/""#,
            r#"{"ü": 1, "a": 2}"#,
            r#"{"a\"": 1}"#,
            r#"{"a": 1, "a": 2}"#,
            r#"[{"a": 0.1}, {"b": {"d": 1, "c": 1e1}}]"#,
        ] {
            assert!(!is_fast(text), "{text}");
            assert_eq!(canonical(text), Ok(general(text)), "{text}");
        }
        let deep = format!("{}1{}", "[".repeat(60), "]".repeat(60));
        assert_eq!(canonical(&deep), Ok(deep));
    }

    #[test]
    fn what_is_not_json_has_no_canonical_form() {
        for text in
            ["", "{", "{not json", "[1,]", "{\"a\" 1}", "1 2", "\"\u{1}\"", "tru", "01", "-", "{\"a\":1,}"]
        {
            assert_eq!(canonical(text), Err(NotCanonical::NotJson), "{text}");
        }
    }
}
