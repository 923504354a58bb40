//! The files of `src`.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use crate::imports::Module;

/// A source file.
pub struct Source {
    /// Its path below `src`.
    pub file: String,
    pub module: Module,
    pub text: String,
}

impl Source {
    /// The module below the crate's root; `lib` and `main` for the two roots.
    pub fn top(&self) -> &str {
        self.module.first().map_or("lib", String::as_str)
    }
}

fn files(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).expect("a folder").flatten() {
        let path = entry.path();
        if path.is_dir() {
            files(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
}

/// Every source file.
pub fn all() -> Vec<Source> {
    let src = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut found = Vec::new();
    files(&src, &mut found);
    assert!(found.len() > 50, "src contains the source files");
    found
        .into_iter()
        .map(|path| {
            let file = path.strip_prefix(&src).expect("below src").to_string_lossy().into_owned();
            let mut module: Module = file.trim_end_matches(".rs").split('/').map(str::to_owned).collect();
            if module.last().is_some_and(|last| last == "mod" || last == "lib") {
                module.pop();
            }
            Source { file, module, text: std::fs::read_to_string(&path).expect("a source file") }
        })
        .collect()
}

/// The files as modules.
pub fn modules() -> BTreeMap<Module, String> {
    all().into_iter().map(|source| (source.module, source.text)).collect()
}
