//! Enumerations of settings that the cloud's APIs spell differently. The declaration of an enumeration is the one table
//! from each word to its forms.

use std::borrow::Cow;

use super::api::Api;

/// A row of the table.
#[derive(Debug, Clone, Copy)]
pub struct WireWord<T: 'static> {
    pub value: T,
    /// The word in JSON, SQL and metrics.
    pub word: &'static str,
    /// The form in calls of API 2.0; `None` if API 2.0 does not document the value.
    pub v2: Option<&'static str>,
    /// The form in calls of API 3.0.
    pub v3: &'static str,
    /// Further spellings that are read and never written.
    pub also: &'static [&'static str],
}

impl<T> WireWord<T> {
    /// The form in calls of an API; `None` if that API does not document the value.
    #[must_use]
    pub const fn form(&self, api: Api) -> Option<&'static str> {
        match api {
            Api::V2 => self.v2,
            Api::V3 => Some(self.v3),
        }
    }

    /// True if `text` is one of the spellings, in any letter case.
    fn is(&self, text: &str) -> bool {
        let is = |spelling: &str| spelling.eq_ignore_ascii_case(text);
        is(self.word) || is(self.v3) || self.v2.is_some_and(is) || self.also.iter().any(|also| is(also))
    }
}

/// An enumeration with a table of forms.
///
/// Settings of a tunnel are texts in these words. A text that no table knows is a value that the cloud added since: it
/// passes through unchanged in both directions, so that a merged group keeps it.
pub trait WireWords: Copy + PartialEq + 'static {
    const TABLE: &'static [WireWord<Self>];

    /// The value of a word or of any form of it, in any letter case.
    #[must_use]
    fn read(text: &str) -> Option<Self> {
        Self::TABLE.iter().find(|row| row.is(text)).map(|row| row.value)
    }

    /// The form in calls of an API; `None` if that API does not document the value.
    #[must_use]
    fn wire(self, api: Api) -> Option<&'static str> {
        Self::TABLE.iter().find(|row| row.value == self).and_then(|row| row.form(api))
    }

    /// The words of the values that an API documents.
    #[must_use]
    fn words_of(api: Api) -> Vec<&'static str> {
        Self::TABLE.iter().filter(|row| row.form(api).is_some()).map(|row| row.word).collect()
    }

    /// The cloud's text as a setting.
    #[must_use]
    fn setting(text: &str) -> String {
        let row = Self::TABLE.iter().find(|row| row.is(text));
        row.map_or(text, |row| row.word).to_owned()
    }

    /// A setting as the text of a call.
    #[must_use]
    fn wire_of(setting: &str, api: Api) -> Cow<'_, str> {
        match Self::TABLE.iter().find(|row| row.is(setting)) {
            None => Cow::Borrowed(setting),
            // API 2.0 writes small letters. It can show a value that it does not document: the tunnel was changed
            // through API 3.0.
            Some(row) => row.form(api).map_or_else(|| row.v3.to_ascii_lowercase().into(), Cow::Borrowed),
        }
    }
}

/// Declares an enum whose variants have a word, a form in each API that documents the value, and further spellings.
macro_rules! wire_words {
    ($(#[doc = $doc:literal])* $vis:vis enum $name:ident {
        $($(#[doc = $vdoc:literal])* $variant:ident = $word:literal
            ($(v2 $v2:literal,)? v3 $v3:literal $(, also $also:literal)*)),+ $(,)?
    }) => {
        $crate::domain::words::words! {
            $(#[doc = $doc])*
            $vis enum $name { $($(#[doc = $vdoc])* $variant = $word),+ }
        }

        impl $crate::domain::wire_words::WireWords for $name {
            const TABLE: &'static [$crate::domain::wire_words::WireWord<Self>] = &[$(
                $crate::domain::wire_words::WireWord {
                    value: Self::$variant,
                    word: $word,
                    v2: $crate::domain::wire_words::first!($($v2)?),
                    v3: $v3,
                    also: &[$($also),*],
                }
            ),+];
        }
    };
}

/// The literal, if there is one.
macro_rules! first {
    () => {
        None
    };
    ($form:literal) => {
        Some($form)
    };
}

pub(crate) use {first, wire_words};

#[cfg(test)]
mod tests {
    use super::*;

    wire_words! {
        /// Ciphers.
        pub enum Cipher {
            Old = "old-1" (v2 "old1", v3 "OLD-1", also "older"),
            New = "new-1" (v3 "NEW1"),
        }
    }

    #[test]
    fn every_spelling_is_read_in_any_letter_case() {
        assert_eq!(Cipher::WORDS, ["old-1", "new-1"]);
        assert_eq!(
            Cipher::ALL.iter().map(|cipher| Cipher::from_word(cipher.as_str())).collect::<Vec<_>>(),
            [Some(Cipher::Old), Some(Cipher::New)]
        );
        for text in ["old-1", "OLD-1", "old1", "Old1", "OLDER"] {
            assert_eq!(Cipher::read(text), Some(Cipher::Old), "{text}");
        }
        assert_eq!(Cipher::read("new1"), Some(Cipher::New));
        assert_eq!(Cipher::read("newer"), None);
    }

    #[test]
    fn each_api_has_its_form_of_what_it_documents() {
        assert_eq!((Cipher::Old.wire(Api::V2), Cipher::Old.wire(Api::V3)), (Some("old1"), Some("OLD-1")));
        assert_eq!((Cipher::New.wire(Api::V2), Cipher::New.wire(Api::V3)), (None, Some("NEW1")));
        assert_eq!(Cipher::words_of(Api::V2), ["old-1"]);
        assert_eq!(Cipher::words_of(Api::V3), ["old-1", "new-1"]);
    }

    #[test]
    fn a_text_of_the_cloud_that_no_table_knows_passes_unchanged() {
        assert_eq!(Cipher::setting("OLD1"), "old-1");
        assert_eq!(Cipher::setting("Future-9"), "Future-9");
        for api in [Api::V2, Api::V3] {
            assert_eq!(Cipher::wire_of("Future-9", api), "Future-9");
        }
        assert_eq!(Cipher::wire_of("old-1", Api::V2), "old1");
        assert_eq!(Cipher::wire_of(&Cipher::setting("new1"), Api::V2), "new1", "as API 2.0 showed it");
    }
}
