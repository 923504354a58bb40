//! Texts in settings. A copied value brings quotation marks, blanks and line ends along; a setting that contains them is refused
//! without showing it, because it may be a secret.

const QUOTES: [char; 7] = ['"', '\'', '`', '\u{2018}', '\u{2019}', '\u{201C}', '\u{201D}'];

/// The longest name of a host (RFC 1035), in characters.
const MAX_HOST_LENGTH: usize = 253;
/// The longest name of a region, in characters.
const MAX_REGION_LENGTH: usize = 64;

/// Checks a text of any characters: no control character, no quotation marks around it, no blank at its ends.
///
/// # Errors
/// What is wrong, without the text.
pub(super) fn check(text: &str) -> Result<(), String> {
    if let Some(control) = text.chars().find(|c| c.is_control()) {
        return Err(match control {
            '\r' => "contains a carriage return; its source has Windows line ends".into(),
            '\n' => "contains a line break; remove it".into(),
            '\t' => "contains a tab; remove it".into(),
            other => format!("contains the control character U+{:04X}; remove it", u32::from(other)),
        });
    }
    if text.chars().count() > 1 && text.starts_with(QUOTES) && text.ends_with(QUOTES) {
        return Err("is in quotation marks; remove them".into());
    }
    if text.trim() != text {
        return Err("begins or ends with a blank; remove it".into());
    }
    Ok(())
}

/// Checks a text without blanks and quotation marks, such as a credential or a URL: visible ASCII characters.
///
/// # Errors
/// What is wrong, without the text.
pub(super) fn word(text: &str) -> Result<(), String> {
    check(text)?;
    if text.contains(char::is_whitespace) {
        return Err("contains a blank; remove it".into());
    }
    if text.contains(QUOTES) {
        return Err("contains a quotation mark; remove it".into());
    }
    if text.is_ascii() { Ok(()) } else { Err("contains a character that is not ASCII; remove it".into()) }
}

/// Checks a host name or address with an optional port.
///
/// # Errors
/// What is wrong.
pub(super) fn host(text: &str) -> Result<(), String> {
    word(text)?;
    let (host, port) = match text.rsplit_once(':') {
        Some((host, port)) if !text.ends_with(']') => (host, Some(port)),
        _ => (text, None),
    };
    let address = host.strip_prefix('[').and_then(|host| host.strip_suffix(']'));
    let is_host = match address {
        Some(address) => address.parse::<std::net::Ipv6Addr>().is_ok(),
        None => is_name(host),
    };
    let is_port = port.is_none_or(|port| port.parse::<u16>().is_ok_and(|port| port != 0));
    if is_host && is_port {
        return Ok(());
    }
    Err("must be a host name or an address, with its port if needed, such as relay.example.com:8443".into())
}

fn is_name(host: &str) -> bool {
    let allowed = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_');
    let is_label = |label: &str| !label.is_empty() && label.bytes().all(allowed);
    host.len() <= MAX_HOST_LENGTH && host.trim_end_matches('.').split('.').all(is_label)
}

/// Checks the name of a region.
///
/// # Errors
/// What is wrong.
pub(super) fn region(text: &str) -> Result<(), String> {
    word(text)?;
    let allowed = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-';
    if text.len() <= MAX_REGION_LENGTH && text.bytes().all(allowed) {
        return Ok(());
    }
    Err("must be a name of a-z, 0-9 and -, for example ap-guangzhou".into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_copying_adds_is_refused_without_showing_the_value() {
        for (text, cause) in [
            ("canary\r", "carriage return"),
            ("can\nary", "line break"),
            ("canary\t", "a tab"),
            ("can\u{0}ary", "U+0000"),
            ("can\u{85}ary", "U+0085"),
            ("\"canary\"", "in quotation marks"),
            ("'canary'", "in quotation marks"),
            ("\u{201C}canary\u{201D}", "in quotation marks"),
            (" canary", "a blank"),
            ("canary\u{3000}", "a blank"),
            ("can ary", "a blank"),
            ("can\"ary", "a quotation mark"),
            ("canäry", "not ASCII"),
        ] {
            let refused = word(text).expect_err(text);
            assert!(refused.contains(cause) && !refused.contains("can"), "{refused}");
        }
        for text in ["AKID0123", "a+/=_-.~%#", "\""] {
            assert_eq!(check(text), Ok(()), "{text}");
        }
        assert_eq!(check("größe und mehr"), Ok(()), "any characters");
    }

    #[test]
    fn a_host_is_a_name_or_an_address() {
        for text in [
            "relay.example.com",
            "relay:8443",
            "10.0.0.1",
            "[::1]:9",
            "[2001:db8::1]",
            "a_b.example.",
            "127.0.0.1:80",
        ] {
            assert_eq!(host(text), Ok(()), "{text}");
        }
        for text in
            ["two words", "https://a", "a/b", "a:b", "a:0", "a:99999", "a..b", "", ":80", "[a]", "a@b", "a\r"]
        {
            assert!(host(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_region_is_a_short_name() {
        assert!(region("ap-guangzhou").is_ok() && region("gz").is_ok());
        for text in ["\"ap-guangzhou\"", "ap-guangzhou\r", "AP-GUANGZHOU", "ap guangzhou", "ap_guangzhou"] {
            assert!(region(text).is_err(), "{text}");
        }
    }
}
