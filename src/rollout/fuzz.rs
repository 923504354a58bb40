//! Properties of the readers of plans, for the fuzzer (`tests/fuzz`) and its corpus.

#![allow(clippy::expect_used, clippy::panic, reason = "a property that does not hold stops the fuzzer")]

use super::order::BatchSizes;
use super::plan::{Format, Plan};

/// The key in plans, which no fault shows.
const SECRET: &str = "canary-0123456789";

/// Every plan is read, or has faults; no fault shows a key. The first byte chooses the format.
pub fn plans(bytes: &[u8]) {
    let Some((format, text)) = bytes.split_first() else { return };
    let format = if *format == b'c' { Format::Csv } else { Format::Yaml };
    match Plan::read(text, format) {
        Ok(plan) => assert!(!format!("{plan:?}").contains(SECRET)),
        Err(faults) => {
            assert!(!faults.is_empty());
            let is_key = |name: &str| String::from_utf8_lossy(text).contains(&format!("{name}: {SECRET}\n"));
            if is_key("pre_shared_key") && String::from_utf8_lossy(text).matches(SECRET).count() == 1 {
                assert!(faults.iter().all(|fault| !fault.to_string().contains(SECRET)), "{faults:?}");
            }
        }
    }
    if let Ok(sizes) = String::from_utf8_lossy(text).parse::<BatchSizes>() {
        assert_eq!(sizes.to_string().parse(), Ok(sizes.clone()));
        assert!((0..5).all(|batch| sizes.size(batch, 100) > 0));
    }
}
