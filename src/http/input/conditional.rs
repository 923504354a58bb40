//! `If-Match` and `If-None-Match` (RFC 9110, section 13.1).

use actix_web::HttpRequest;
use actix_web::http::header::{self, HeaderName};

use crate::domain::etag::{ETag, Precondition};
use crate::domain::fault::Fault;

/// The maximum number of tags in a header.
const MAX_TAGS: usize = 32;

/// A header that is neither `*` nor a list of entity tags.
struct Malformed;

enum Condition {
    Any,
    Tags(Vec<ETag>),
}

/// The precondition in `If-Match`. A weak tag and a tag with a suffix of a compressing proxy count like the strong one: the
/// tags identify the content in any encoding.
pub fn if_match(request: &HttpRequest) -> Result<Option<Precondition>, Fault> {
    let condition = condition(request, &header::IF_MATCH).map_err(|Malformed| malformed("If-Match"))?;
    Ok(condition.map(|condition| match condition {
        Condition::Any => Precondition::Exists,
        Condition::Tags(tags) => Precondition::OneOf(tags),
    }))
}

/// The condition in `If-None-Match`: the states that the client has cached.
#[derive(Default)]
pub struct IfNoneMatch(Option<Condition>);

impl IfNoneMatch {
    /// True if the client has cached this state.
    pub fn contains(&self, current: &ETag) -> bool {
        match &self.0 {
            None => false,
            Some(Condition::Any) => true,
            Some(Condition::Tags(tags)) => tags.contains(current),
        }
    }
}

/// Reads `If-None-Match`.
pub fn if_none_match(request: &HttpRequest) -> Result<IfNoneMatch, Fault> {
    condition(request, &header::IF_NONE_MATCH)
        .map(IfNoneMatch)
        .map_err(|Malformed| malformed("If-None-Match"))
}

fn malformed(name: &'static str) -> Fault {
    let detail = "must be * or a list of entity tags as ETag shows them, such as \"33a64df5\"";
    Fault::new(format!("header:{name}"), "invalid", detail)
}

fn condition(request: &HttpRequest, name: &HeaderName) -> Result<Option<Condition>, Malformed> {
    let mut values = request.headers().get_all(name).peekable();
    if values.peek().is_none() {
        return Ok(None);
    }
    // Repeated headers form one list.
    let mut text = String::new();
    for value in values {
        if !text.is_empty() {
            text.push(',');
        }
        text.push_str(value.to_str().map_err(|_| Malformed)?);
    }
    if text.trim() == "*" {
        return Ok(Some(Condition::Any));
    }
    Ok(Some(Condition::Tags(tags(&text)?)))
}

/// What proxies append to the opaque part of a tag when they compress an answer: Apache, Caddy, Jetty. The service's own tags
/// end with a hexadecimal digit.
const COMPRESSED: &[&str] = &["--gzip", "-gzip", ";gzip", "-br", "-zstd", "-deflate"];

/// The opaque part as the service sent it.
fn uncompressed(opaque: &str) -> &str {
    COMPRESSED.iter().find_map(|suffix| opaque.strip_suffix(suffix)).unwrap_or(opaque)
}

/// Parses a list of tags. Tags can contain commas, so the list is not split at commas.
fn tags(text: &str) -> Result<Vec<ETag>, Malformed> {
    let mut tags = Vec::new();
    let mut rest = text.trim_matches([' ', '\t', ',']);
    while !rest.is_empty() {
        let quoted = rest.strip_prefix("W/").unwrap_or(rest);
        let (opaque, after) =
            quoted.strip_prefix('"').and_then(|text| text.split_once('"')).ok_or(Malformed)?;
        let is_opaque = opaque.bytes().all(|b| b == b'!' || (b'#'..=b'~').contains(&b));
        let after = after.trim_start_matches([' ', '\t']);
        if !is_opaque || !(after.is_empty() || after.starts_with(',')) || tags.len() == MAX_TAGS {
            return Err(Malformed);
        }
        tags.push(ETag::new(uncompressed(opaque).to_owned()));
        rest = after.trim_start_matches([' ', '\t', ',']);
    }
    if tags.is_empty() { Err(Malformed) } else { Ok(tags) }
}

#[cfg(test)]
mod tests {
    use actix_web::test::TestRequest;

    use super::*;

    fn of(value: &str) -> Option<Precondition> {
        if_match(&TestRequest::default().insert_header(("if-match", value)).to_http_request()).ok().flatten()
    }

    fn one_of(tags: &[&str]) -> Option<Precondition> {
        Some(Precondition::OneOf(tags.iter().map(|tag| ETag::new((*tag).to_owned())).collect()))
    }

    #[test]
    fn a_list_is_read_from_tag_to_tag() {
        assert_eq!(of("*"), Some(Precondition::Exists));
        assert_eq!(of("\"a\""), one_of(&["a"]));
        assert_eq!(of("\"a,b\", \"\" ,,\"c\""), one_of(&["a,b", "", "c"]));
        let lines = TestRequest::default()
            .append_header(("if-match", "\"a\""))
            .append_header(("if-match", "\"b\""))
            .to_http_request();
        assert_eq!(if_match(&lines).ok().flatten(), one_of(&["a", "b"]));
        assert!(if_match(&TestRequest::default().to_http_request()).is_ok_and(|none| none.is_none()));
    }

    #[test]
    fn a_weak_tag_counts_like_a_strong_one() {
        assert_eq!(of("W/\"a\", \"b\""), one_of(&["a", "b"]));
        let has = |value: &str, tag: &str| {
            let request = TestRequest::default().insert_header(("if-none-match", value)).to_http_request();
            if_none_match(&request).is_ok_and(|known| known.contains(&ETag::new(tag.into())))
        };
        assert!(has("W/\"a\"", "a") && has("\"b\", \"a\"", "a") && has("*", "a"));
        assert!(!has("W/\"a\"", "b"));
    }

    #[test]
    fn a_tag_that_a_compressing_proxy_marked_is_the_tag() {
        for marked in
            ["\"0a-gzip\"", "W/\"0a-gzip\"", "\"0a;gzip\"", "\"0a--gzip\"", "\"0a-br\"", "\"0a-zstd\""]
        {
            assert_eq!(of(marked), one_of(&["0a"]), "{marked}");
        }
        assert_eq!(of("\"gzip\", \"0a-other\""), one_of(&["gzip", "0a-other"]));
    }

    #[test]
    fn what_is_no_list_of_tags_is_malformed() {
        let many = vec!["\"a\""; MAX_TAGS + 1].join(",");
        for text in ["a", "\"a", "\"a\" \"b\"", "\"a\"b", "w/\"a\"", "*, \"a\"", "\"a b\"", ",", "", &many] {
            let request = TestRequest::default().insert_header(("if-match", text)).to_http_request();
            assert!(if_match(&request).is_err(), "{text}");
        }
    }
}
