//! A fingerprint as JSON, and back.

use super::{CatalogError, Fingerprint, Key, Kind, Object};
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;

/// The shape of the JSON.
const FORMAT: u64 = 1;

impl Fingerprint {
    /// As JSON: `{"format": 1, "objects": [{"kind", "name", "of"?: {"kind", "name"}, "properties": {…}}, …]}`.
    pub fn to_json(&self) -> Value {
        let objects: Vec<Value> = self
            .objects
            .iter()
            .map(|(key, object)| {
                let mut value = named(key);
                if let Some(of) = &object.of {
                    value.insert("of".to_owned(), Value::Object(named(of)));
                }
                value.insert("properties".to_owned(), json!(object.properties));
                Value::Object(value)
            })
            .collect();
        json!({ "format": FORMAT, "objects": objects })
    }

    /// The fingerprint that [`to_json`](Self::to_json) made this of.
    pub fn from_json(value: &Value) -> Result<Self, CatalogError> {
        let format = value.get("format").and_then(Value::as_u64);
        if format != Some(FORMAT) {
            return Err(wrong(format!("its `format` is {format:?}, and {FORMAT} is known")));
        }
        let list = value.get("objects").and_then(Value::as_array).ok_or_else(|| wrong("it has no list `objects`"))?;
        let mut objects = BTreeMap::new();
        for value in list {
            let key = key(value)?;
            let of = value.get("of").map(self::key).transpose()?;
            let mut properties = BTreeMap::new();
            let map = value.get("properties").and_then(Value::as_object);
            for (name, value) in map.ok_or_else(|| wrong(format!("{key} has no `properties`")))? {
                let text = value.as_str().ok_or_else(|| wrong(format!("{key}: {name} is not a text")))?;
                properties.insert(name.clone(), text.to_owned());
            }
            if let Some(twice) = objects.insert(key.clone(), Object { of, properties }) {
                return Err(wrong(format!("{key} is there twice, once with {:?}", twice.properties)));
            }
        }
        Ok(Self { objects })
    }
}

fn named(key: &Key) -> Map<String, Value> {
    Map::from_iter([("kind".to_owned(), json!(key.kind.name())), ("name".to_owned(), json!(key.name))])
}

fn key(value: &Value) -> Result<Key, CatalogError> {
    let text = |field| {
        value
            .get(field)
            .and_then(Value::as_str)
            .ok_or_else(|| wrong(format!("an object has no text `{field}`: {value}")))
    };
    let kind = Kind::from_name(text("kind")?).ok_or_else(|| wrong(format!("{value} is of an unknown kind")))?;
    Ok(Key { kind, name: text("name")?.to_owned() })
}

fn wrong(problem: impl Into<String>) -> CatalogError {
    CatalogError::Json { problem: problem.into() }
}
