//! The fuzzer's inputs as tests: seeds, and inputs that once broke a property.

use std::path::Path;

/// Runs a property on every input in `tests/fuzz/corpus/TARGET`.
fn replay(target: &str, property: fn(&[u8])) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fuzz/corpus").join(target);
    let mut inputs: Vec<_> =
        std::fs::read_dir(&folder).expect("a folder").map(|entry| entry.expect("an entry").path()).collect();
    inputs.sort();
    assert!(!inputs.is_empty(), "no input in {}", folder.display());
    for input in inputs {
        println!("{}", input.display());
        property(&std::fs::read(&input).expect("an input"));
    }
}

macro_rules! targets {
    ($($target:ident = $property:path),+ $(,)?) => {
        $(#[test]
        fn $target() {
            replay(stringify!($target), $property);
        })+

        #[test]
        fn every_target_is_fuzzed_and_every_corpus_is_run() {
            let fuzz = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fuzz");
            let names = |folder: &str| -> Vec<String> {
                let entries = std::fs::read_dir(fuzz.join(folder)).expect("a folder");
                let path = entries.map(|entry| entry.expect("an entry").path());
                let mut names: Vec<String> =
                    path.filter_map(|path| path.file_stem()?.to_str().map(str::to_owned)).collect();
                names.sort();
                names
            };
            let mut known = vec![$(stringify!($target).to_owned()),+];
            known.sort();
            assert_eq!(names("corpus"), known);
            assert_eq!(names("targets"), known);
        }
    };
}

targets! {
    patch = crate::domain::fuzz::patch,
    texts = crate::domain::fuzz::texts,
    answers = crate::cloud::fuzz::answers,
    header_values = crate::http::fuzz::header_values,
    authorizations = crate::http::fuzz::authorizations,
    queries = crate::http::fuzz::queries,
    bodies = crate::http::fuzz::bodies,
    connections = crate::http::fuzz::connections,
    files = crate::config::fuzz::files,
    flags = crate::config::fuzz::flags,
    database_urls = crate::config::fuzz::database_urls,
    tokens = crate::oidc::fuzz::tokens,
    plans = crate::rollout::fuzz::plans,
}
