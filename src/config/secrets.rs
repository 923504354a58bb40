//! Secrets come from the environment or from files, never from flags: the process list shows flags to every user of the
//! machine.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use secrecy::SecretString;
use secrecy::zeroize::Zeroizing;

use super::InvalidSetting;

/// The process's environment, each value wrapped as a secret.
#[derive(Clone, Default)]
pub struct Secrets(BTreeMap<String, SecretString>);

impl Secrets {
    /// Copies the process's environment.
    #[must_use]
    pub fn from_env() -> Self {
        Self::new(
            std::env::vars_os().filter_map(|(n, v)| Some((n.into_string().ok()?, v.into_string().ok()?))),
        )
    }

    /// Wraps the given variables.
    pub fn new(variables: impl IntoIterator<Item = (String, String)>) -> Self {
        Self(variables.into_iter().map(|(name, value)| (name, value.into())).collect())
    }

    /// Reads the secret `name` from its variable, or from the file named by the flag or by `<name>_FILE`. Line breaks at
    /// the end of the file are not part of the secret. An empty variable counts as unset.
    ///
    /// # Errors
    /// If both a value and a file are given, or the file is empty or unreadable.
    pub fn read(&self, name: &str, file: Option<&Path>) -> Result<Option<SecretString>, InvalidSetting> {
        let value = self.0.get(name).filter(|value| !is_empty(value));
        let file_name = format!("{name}_FILE");
        let named = self.0.get(&file_name).filter(|value| !is_empty(value));
        let file = file
            .map(Path::to_path_buf)
            .or_else(|| named.map(|path| PathBuf::from(secrecy::ExposeSecret::expose_secret(path))));
        match (value, file) {
            (Some(_), Some(_)) => {
                Err(InvalidSetting::new(file_name, format!("set either {name} or {name}_FILE, not both")))
            }
            (Some(value), None) => Ok(Some(value.clone())),
            (None, None) => Ok(None),
            (None, Some(file)) => {
                secret_of(&file).map(Some).map_err(|problem| InvalidSetting::new(&file_name, problem))
            }
        }
    }

    /// True if the variable is set to a value.
    #[must_use]
    pub fn has(&self, name: &str) -> bool {
        self.0.get(name).is_some_and(|value| !is_empty(value))
    }

    /// Variables with our prefix that are not settings: most likely typos.
    #[must_use]
    pub fn unknown(&self, known: &[String]) -> Vec<String> {
        let ours = |name: &str| name.starts_with("TUNNELGATE_") && !name.starts_with("TUNNELGATE_TEST_");
        let is_known = |name: &str| {
            known.iter().any(|known| known == name || name.strip_suffix("_FILE") == Some(known))
                || [
                    "TUNNELGATE_FINGERPRINT_KEY",
                    "TUNNELGATE_FINGERPRINT_KEY_FILE",
                    "TUNNELGATE_TOKEN",
                    "TUNNELGATE_VECTORS",
                ]
                .contains(&name)
        };
        self.0.keys().filter(|name| ours(name) && !is_known(name)).cloned().collect()
    }
}

/// Reads the secret in a file. Line breaks at the end are not part of it.
///
/// # Errors
/// If the file is empty or unreadable.
pub fn secret_of(file: &Path) -> Result<SecretString, String> {
    let text = std::fs::read_to_string(file)
        .map(Zeroizing::new)
        .map_err(|error| format!("can't read {}: {error}", file.display()))?;
    let secret: SecretString = text.trim_end_matches(['\r', '\n']).into();
    if is_empty(&secret) { Err(format!("{} is empty", file.display())) } else { Ok(secret) }
}

fn is_empty(value: &SecretString) -> bool {
    secrecy::ExposeSecret::expose_secret(value).is_empty()
}

#[cfg(test)]
mod tests {
    use secrecy::ExposeSecret;

    use super::*;

    fn env(pairs: &[(&str, &str)]) -> Secrets {
        Secrets::new(pairs.iter().map(|(n, v)| ((*n).to_owned(), (*v).to_owned())))
    }

    #[test]
    fn a_file_s_last_line_end_is_not_part_of_the_secret() {
        let file = tempfile::NamedTempFile::new().expect("a file");
        std::fs::write(file.path(), "key \n").expect("written");
        let path = file.path().display().to_string();
        let read = env(&[("KEY_FILE", &path)]).read("KEY", None).expect("readable");
        assert_eq!(read.expect("there").expose_secret(), "key ");
    }

    #[test]
    fn both_ways_at_once_and_a_missing_file_name_the_setting() {
        let both = env(&[("KEY", "a"), ("KEY_FILE", "/nowhere")]).read("KEY", None);
        assert_eq!(both.map(|_| ()).map_err(|e| e.name), Err("KEY_FILE".into()));
        let missing = env(&[("KEY_FILE", "/nowhere")]).read("KEY", None);
        assert!(missing.is_err_and(|e| e.problem.contains("/nowhere")));
        assert!(env(&[("KEY", "")]).read("KEY", None).is_ok_and(|none| none.is_none()));
    }

    #[test]
    fn a_variable_that_nobody_reads_is_noticed() {
        let env = env(&[("TUNNELGATE_LISTN", "x"), ("TUNNELGATE_LISTEN", "y"), ("TUNNELGATE_TEST_X", "z")]);
        assert_eq!(env.unknown(&["TUNNELGATE_LISTEN".into()]), ["TUNNELGATE_LISTN"]);
    }
}
