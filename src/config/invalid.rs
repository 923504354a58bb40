//! Invalid settings.

use std::fmt;

/// An invalid setting; the message starts with its name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{name}: {problem}")]
pub struct InvalidSetting {
    /// The setting as it was given: a flag with its variable, or file, line and key.
    pub name: String,
    pub problem: String,
}

impl InvalidSetting {
    pub fn new(name: impl Into<String>, problem: impl Into<String>) -> Self {
        Self { name: name.into(), problem: problem.into() }
    }
}

/// Every invalid setting, one a line.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Faults(Vec<InvalidSetting>);

impl Faults {
    pub fn push(&mut self, fault: InvalidSetting) {
        self.0.push(fault);
    }

    pub fn extend(&mut self, faults: impl IntoIterator<Item = InvalidSetting>) {
        self.0.extend(faults);
    }

    /// The value; a fault is kept.
    pub fn take<T>(&mut self, checked: Result<T, InvalidSetting>) -> Option<T> {
        checked.map_err(|fault| self.push(fault)).ok()
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub fn iter(&self) -> impl Iterator<Item = &InvalidSetting> {
        self.0.iter()
    }
}

impl IntoIterator for Faults {
    type Item = InvalidSetting;
    type IntoIter = std::vec::IntoIter<InvalidSetting>;

    fn into_iter(self) -> Self::IntoIter {
        self.0.into_iter()
    }
}

impl From<InvalidSetting> for Faults {
    fn from(fault: InvalidSetting) -> Self {
        Self(vec![fault])
    }
}

impl fmt::Display for Faults {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (number, fault) in self.0.iter().enumerate() {
            let separator = if number == 0 { "" } else { "\n" };
            write!(f, "{separator}{fault}")?;
        }
        Ok(())
    }
}
