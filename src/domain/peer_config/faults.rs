//! The settings that have no form in a configuration.

use crate::domain::fault::Fault;
use crate::domain::wire_words::WireWords;

/// Collects the faults of settings.
#[derive(Default)]
pub(super) struct Faults(Vec<Fault>);

impl Faults {
    pub fn not_shown<T>(&mut self, pointer: &str) -> Option<T> {
        self.0.push(Fault::new(pointer, "not_shown", "the cloud does not show this setting"));
        None
    }

    pub fn unknown<T>(&mut self, pointer: &str) -> Option<T> {
        let detail = "the cloud shows a value that the gateway does not know";
        self.0.push(Fault::new(pointer, "unknown_value", detail));
        None
    }

    /// A setting that does not exist; the detail says where.
    pub fn not_supported(&mut self, pointer: &str, detail: impl Into<String>) {
        self.0.push(Fault::new(pointer, "not_supported", detail));
    }

    /// The format's word for a value, or a fault.
    pub fn word(
        &mut self,
        word: Option<&'static str>,
        pointer: &str,
        value: &str,
        format: &str,
    ) -> &'static str {
        word.unwrap_or_else(|| {
            self.not_supported(pointer, format!("{format} does not have {value}"));
            ""
        })
    }

    pub fn value<T: WireWords>(&mut self, setting: &Option<String>, pointer: &str) -> Option<T> {
        match setting {
            Some(text) => T::read(text).or_else(|| self.unknown(pointer)),
            None => self.not_shown(pointer),
        }
    }

    pub fn number(&mut self, setting: &Option<String>, pointer: &str) -> Option<u64> {
        match setting {
            Some(text) => text.parse().ok().or_else(|| self.unknown(pointer)),
            None => self.not_shown(pointer),
        }
    }

    /// What was made, if there is no fault.
    pub fn or<T>(self, made: T) -> Result<T, Vec<Fault>> {
        if self.0.is_empty() { Ok(made) } else { Err(self.0) }
    }
}
