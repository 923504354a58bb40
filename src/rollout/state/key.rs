//! A generated key in the state file, its only place. `PreSharedKey` has no serialization of its own, so that no other file
//! gets one by mistake.

use secrecy::zeroize::Zeroizing;
use serde::{Deserialize, Deserializer, Serializer};

use crate::domain::secret::PreSharedKey;

pub(super) fn serialize<S: Serializer>(key: &Option<PreSharedKey>, serializer: S) -> Result<S::Ok, S::Error> {
    match key {
        Some(key) => serializer.serialize_str(key.expose()),
        None => serializer.serialize_none(),
    }
}

pub(super) fn deserialize<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<PreSharedKey>, D::Error> {
    let text: Option<Zeroizing<String>> = Option::<String>::deserialize(deserializer)?.map(Zeroizing::new);
    text.map(|text| PreSharedKey::parse(&text).map_err(serde::de::Error::custom)).transpose()
}
