//! Checks a value against a schema of the OpenAPI document; supports the keywords that our schemas use.

use serde_json::Value;

/// # Errors
/// The first difference, and its place.
pub fn fits(document: &Value, schema: &Value, value: &Value, place: &str) -> Result<(), String> {
    if let Some(name) = schema["$ref"].as_str() {
        let target = document.pointer(name.trim_start_matches('#')).ok_or(format!("{name} leads nowhere"))?;
        return fits(document, target, value, place);
    }
    let told = |what: &str| Err(format!("{place} {what}: {value}"));
    if let Some(either) = schema["oneOf"].as_array() {
        let whys: Vec<String> =
            either.iter().filter_map(|one| fits(document, one, value, place).err()).collect();
        return if whys.len() < either.len() { Ok(()) } else { told(&format!("fits none of them {whys:?}")) };
    }
    let kinds = match &schema["type"] {
        Value::Array(kinds) => kinds.iter().filter_map(Value::as_str).collect(),
        kind => kind.as_str().into_iter().collect::<Vec<_>>(),
    };
    if !kinds.is_empty() && !kinds.contains(&kind(value)) {
        return told(&format!("is none of {kinds:?}"));
    }
    if schema["enum"].as_array().is_some_and(|words| !words.contains(value)) {
        return told("is none of the words");
    }
    for name in schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str) {
        if value.is_object() && value.get(name).is_none() {
            return told(&format!("lacks {name}"));
        }
    }
    if let (Some(members), Some(known)) = (value.as_object(), schema["properties"].as_object()) {
        for (name, member) in members {
            let Some(known) = known.get(name) else {
                return told(&format!("has {name}, which the schema does not know"));
            };
            fits(document, known, member, &format!("{place}/{name}"))?;
        }
    }
    if schema["items"].is_object() {
        for (at, item) in value.as_array().into_iter().flatten().enumerate() {
            fits(document, &schema["items"], item, &format!("{place}/{at}"))?;
        }
    }
    Ok(())
}

fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "boolean",
        Value::Number(number) if number.is_f64() => "number",
        Value::Number(_) => "integer",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    }
}

#[test]
fn what_is_missing_unknown_or_of_another_kind_does_not_fit() {
    use serde_json::json;
    let schema = json!({"type": "object", "required": ["a"], "properties": {
        "a": {"oneOf": [{"type": "null"}, {"type": "integer"}]}, "b": {"type": "array", "items": {"enum": ["x"]}}}});
    let is_fit = |value: Value| fits(&json!({}), &schema, &value, "").is_ok();
    assert!(is_fit(json!({"a": null})) && is_fit(json!({"a": 1, "b": ["x"]})));
    for value in
        [json!({}), json!({"a": "1"}), json!({"a": 1, "c": 1}), json!({"a": 1, "b": ["y"]}), json!([])]
    {
        assert!(!is_fit(value.clone()), "{value}");
    }
}
