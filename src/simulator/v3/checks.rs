//! What every call of API 3.0 has besides its signature: version, region, content type, a JSON body.

use serde_json::Value;

use super::answer::{Refused, refused};
use super::authorization::Call;

const VERSION: &str = "2017-03-12";

/// The longest body, in bytes.
const MAX_BODY: usize = 10 * 1024 * 1024;

/// Checks the headers.
pub(super) fn common(call: &Call<'_>) -> Result<(), Refused> {
    for name in ["x-tc-action", "x-tc-version", "x-tc-region"] {
        if call.header(name).is_empty() {
            return Err(refused("MissingParameter", format!("the header {name} is missing")));
        }
    }
    if call.header("x-tc-version") != VERSION {
        return Err(refused("NoSuchVersion", format!("the only version of vpc is {VERSION}")));
    }
    if !is_region(call.header("x-tc-region")) {
        return Err(refused("UnsupportedRegion", "the region is unknown"));
    }
    Ok(())
}

/// The parameters of a call.
pub(super) fn json(call: &Call<'_>) -> Result<Value, Refused> {
    let media = call.header("content-type").split(';').next().unwrap_or_default();
    if media.trim() != "application/json" {
        return Err(refused("InvalidParameter", "Content-Type has to be application/json"));
    }
    if call.payload.len() > MAX_BODY {
        return Err(refused("RequestSizeLimitExceeded", "the body is larger than 10 MB"));
    }
    serde_json::from_slice(call.payload).map_err(|_| refused("InvalidParameter", "the body is not JSON"))
}

/// True if the text has the form of a region's long name, `ap-guangzhou` or `ap-shanghai-fsi`. API 3.0 has no short names.
fn is_region(text: &str) -> bool {
    let is_part =
        |part: &str| part.len() > 1 && part.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit());
    text.contains('-') && text.split('-').all(is_part)
}

#[cfg(test)]
mod tests {
    use super::is_region;

    #[test]
    fn only_long_names_are_regions() {
        assert!(["ap-guangzhou", "na-ashburn", "ap-shanghai-fsi"].into_iter().all(is_region));
        assert!(!["", "gz", "guangzhou", "ap-", "AP-guangzhou", "ap guangzhou"].into_iter().any(is_region));
    }
}
