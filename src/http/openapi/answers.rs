//! The problems of a call in the document: a response for each status, with an example of each code.

use std::collections::BTreeMap;

use utoipa::openapi::example::ExampleBuilder;
use utoipa::openapi::{ContentBuilder, Ref, RefOr, Response, ResponseBuilder};

use crate::http::problem::example::example;
use crate::http::problem::{MEDIA_TYPE, ProblemType};

/// The problems of every call with a token.
pub const CALLER: &[ProblemType] = &[
    ProblemType::Unauthorized,
    ProblemType::Forbidden,
    ProblemType::RateLimited,
    ProblemType::SignInLimited,
    ProblemType::Internal,
    ProblemType::IssuerUnavailable,
    ProblemType::LedgerUnavailable,
    ProblemType::LogRewound,
];

/// Declares the problems of a call; the name goes into `responses(…)`.
macro_rules! problems {
    ($name:ident: $common:expr, $($kind:ident),* $(,)?) => {
        pub struct $name;

        impl utoipa::IntoResponses for $name {
            fn responses() -> std::collections::BTreeMap<
                String, utoipa::openapi::RefOr<utoipa::openapi::response::Response>> {
                let own: &[$crate::http::problem::ProblemType] = &[$($crate::http::problem::ProblemType::$kind),*];
                $crate::http::openapi::answers::responses(&[$common, own].concat())
            }
        }
    };
}
pub(in crate::http) use problems;

/// The responses, by status.
pub fn responses(types: &[ProblemType]) -> BTreeMap<String, RefOr<Response>> {
    let mut by_status: BTreeMap<u16, Vec<ProblemType>> = BTreeMap::new();
    for kind in types {
        by_status.entry(kind.describe().status.as_u16()).or_default().push(*kind);
    }
    by_status.into_iter().map(|(status, types)| (status.to_string(), response(&types).into())).collect()
}

/// One response for these types; they have one status.
pub fn response(types: &[ProblemType]) -> Response {
    let description = match types {
        [only] => only.describe().meaning.to_owned(),
        several => {
            let lines =
                several.iter().map(|kind| format!("- `{}`: {}", kind.code(), kind.describe().meaning));
            lines.collect::<Vec<_>>().join("\n")
        }
    };
    let examples = types.iter().map(|kind| {
        let example = ExampleBuilder::new().summary(kind.describe().title).value(Some(example(*kind)));
        (kind.code(), example)
    });
    let content = ContentBuilder::new()
        .schema(Some(Ref::from_schema_name("Problem")))
        .examples_from_iter(examples)
        .build();
    ResponseBuilder::new().description(description).content(MEDIA_TYPE, content).build()
}
