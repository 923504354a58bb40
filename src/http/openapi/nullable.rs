//! Members that may be `null`.

use serde_json::{Value, json};

/// Makes nullable members required: serde omits only members with `skip_serializing_if`, and those are described as never
/// `null`.
pub fn require_nullable(schema: &mut Value) {
    let names = schema["properties"].as_object().into_iter().flatten();
    let nullable: Vec<Value> =
        names.filter(|(_, property)| allows_null(property)).map(|(name, _)| json!(name)).collect();
    if !nullable.is_empty() {
        let members = schema["required"].as_array().into_iter().flatten();
        let mut required: Vec<Value> = members.cloned().collect();
        required.extend(nullable.into_iter().filter(|name| !required.contains(name)).collect::<Vec<_>>());
        schema["required"] = required.into();
    }
    match schema {
        Value::Object(members) => members.values_mut().for_each(require_nullable),
        Value::Array(items) => items.iter_mut().for_each(require_nullable),
        _ => {}
    }
}

/// True if the type of a schema allows `null`.
pub fn allows_null(schema: &Value) -> bool {
    let is_null = |kind: &Value| kind == "null";
    let kinds = &schema["type"];
    let either = ["oneOf", "anyOf"].iter().filter_map(|word| schema[word].as_array()).flatten();
    is_null(kinds)
        || kinds.as_array().is_some_and(|kinds| kinds.iter().any(is_null))
        || either.into_iter().any(allows_null)
}
