//! Enumerations whose variants are one word each on the wire. One macro makes parsing, printing, the JSON Schema and the
//! messages from one list.

use utoipa::openapi::schema::Type;
use utoipa::openapi::{ObjectBuilder, RefOr, Schema};

/// Declares an enum whose variants each have one word.
macro_rules! words {
    ($(#[doc = $doc:literal])* $vis:vis enum $name:ident {
        $($(#[doc = $vdoc:literal])* $variant:ident = $word:literal),+ $(,)?
    }) => {
        $(#[doc = $doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, serde::Serialize, serde::Deserialize)]
        $vis enum $name { $($(#[doc = $vdoc])* #[serde(rename = $word)] $variant),+ }

        // Not derived: utoipa's derive does not see words that a macro produces.
        impl utoipa::PartialSchema for $name {
            fn schema() -> utoipa::openapi::RefOr<utoipa::openapi::schema::Schema> {
                $crate::domain::words::schema(concat!($($doc),*), &[$(($word, concat!($($vdoc),*))),+])
            }
        }

        impl utoipa::ToSchema for $name {
            fn name() -> std::borrow::Cow<'static, str> { stringify!($name).into() }
        }

        impl $name {
            /// Every variant, in the order of declaration.
            pub const ALL: &'static [Self] = &[$(Self::$variant),+];
            /// Every word, in the same order.
            pub const WORDS: &'static [&'static str] = &[$($word),+];

            /// The word of this variant in JSON, SQL and metrics.
            #[must_use]
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $word),+ }
            }

            /// The variant of a word. Compares letter case too.
            #[must_use]
            pub fn from_word(word: &str) -> Option<Self> {
                match word { $($word => Some(Self::$variant),)+ _ => None }
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(self.as_str())
            }
        }
    };
}

pub(crate) use words;

/// The JSON Schema of an enumeration, with the meaning of each word.
pub(crate) fn schema(description: &str, words: &[(&str, &str)]) -> RefOr<Schema> {
    let meanings = words.iter().filter(|(_, meaning)| !meaning.is_empty());
    let meanings = meanings.map(|(word, meaning)| format!("\n- `{word}`: {}", meaning.trim()));
    let meanings: String = meanings.collect();
    let description = match meanings.as_str() {
        "" => description.trim().to_owned(),
        meanings => format!("{}\n{meanings}", description.trim()),
    };
    ObjectBuilder::new()
        .schema_type(Type::String)
        .description(Some(description))
        .enum_values(Some(words.iter().map(|(word, _)| *word)))
        .into()
}

#[cfg(test)]
mod tests {
    use utoipa::PartialSchema;

    words! {
        /// Sizes.
        pub enum Size {
            /// A small one.
            Small = "s",
            Large = "l",
        }
    }

    #[test]
    fn the_schema_has_the_words_that_are_on_the_wire() {
        let schema = serde_json::to_value(Size::schema()).expect("JSON");
        assert_eq!(
            schema,
            serde_json::json!({"type": "string", "enum": ["s", "l"], "description": "Sizes.\n\n- `s`: A small one."})
        );
        assert_eq!(serde_json::to_value(Size::ALL).expect("JSON"), serde_json::json!(Size::WORDS));
        assert_eq!(Size::from_word("l").map(Size::as_str), Some("l"));
        assert_eq!(Size::from_word("L").map(|size| size.to_string()), None);
    }
}
