//! Pages of lists.

use std::borrow::Cow;
use std::fmt::Display;

use actix_web::http::header;
use actix_web::{HttpRequest, HttpResponse};
use serde::Serialize;
use utoipa::openapi::schema::{ArrayBuilder, ObjectBuilder, Schema, SchemaType, Type};
use utoipa::openapi::{Ref, RefOr};
use utoipa::{PartialSchema, ToSchema};

use super::address::address;
use super::input::query::cursor;

/// One page of a list.
#[derive(Serialize)]
pub struct Page<T> {
    items: Vec<T>,
    next_cursor: Option<String>,
}

impl<T> Page<T> {
    /// The only page of a short list.
    pub fn only(items: Vec<T>) -> Self {
        Self { items, next_cursor: None }
    }

    /// A page of `limit` items; one more item in `found` means that there is a next page. `key` is an item's position in the
    /// list.
    pub fn of<K: Display>(mut found: Vec<T>, limit: u32, key: impl FnOnce(&T) -> K) -> Self {
        let limit = limit as usize;
        let has_more = found.len() > limit;
        found.truncate(limit);
        let next_cursor = found.last().filter(|_| has_more).map(|last| cursor(&key(last)));
        Self { items: found, next_cursor }
    }

    /// A page of a list whose next page begins at `next`, whatever this one contains.
    pub fn until(items: Vec<T>, next: Option<impl Display>) -> Self {
        Self { items, next_cursor: next.map(|next| cursor(&next)) }
    }

    /// The answer, with each item as `view` shows it.
    pub fn respond<'a, V: Serialize>(
        &'a self,
        request: &HttpRequest,
        view: impl Fn(&'a T) -> V,
    ) -> HttpResponse {
        let mut response = HttpResponse::Ok();
        if let Some(cursor) = &self.next_cursor {
            let others = form_urlencoded::parse(request.query_string().as_bytes())
                .filter(|(name, _)| name != "cursor");
            let query = form_urlencoded::Serializer::new(String::new())
                .extend_pairs(others)
                .append_pair("cursor", cursor)
                .finish();
            response.insert_header((
                header::LINK,
                format!("<{}?{query}>; rel=\"next\"", address(request.path())),
            ));
        }
        let items = self.items.iter().map(view).collect();
        response.json(Page { items, next_cursor: self.next_cursor.clone() })
    }
}

impl<T: ToSchema> PartialSchema for Page<T> {
    fn schema() -> RefOr<Schema> {
        let cursor = ObjectBuilder::new()
            .schema_type(SchemaType::from_iter([Type::String, Type::Null]))
            .description(Some("Send it as `cursor` to get the next page; `null` on the last page."));
        ObjectBuilder::new()
            .description(Some("One page of a list."))
            .property("items", ArrayBuilder::new().items(Ref::from_schema_name(T::name())))
            .required("items")
            .property("next_cursor", cursor)
            .into()
    }
}

impl<T: ToSchema> ToSchema for Page<T> {
    fn name() -> Cow<'static, str> {
        format!("{}Page", T::name()).into()
    }

    fn schemas(schemas: &mut Vec<(String, RefOr<Schema>)>) {
        schemas.push((T::name().into_owned(), T::schema()));
        T::schemas(schemas);
    }
}
