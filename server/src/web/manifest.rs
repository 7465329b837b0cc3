//! The web app manifest of one account: two accounts installed from one server are two apps.

use serde_json::{Map, Value, json};

/// The built manifest `base` (or a minimal one) with identity, start and scope of `user`.
pub(super) fn for_account(base: Option<&[u8]>, user: &str) -> String {
    let mut manifest = base
        .and_then(|base| serde_json::from_slice(base).ok())
        .unwrap_or_else(minimal);
    let home = format!("/u/{user}/");
    for key in ["id", "start_url", "scope"] {
        manifest.insert(key.into(), Value::String(home.clone()));
    }
    for list in ["icons", "screenshots"] {
        for image in manifest
            .get_mut(list)
            .and_then(Value::as_array_mut)
            .into_iter()
            .flatten()
        {
            if let Some(Value::String(source)) = image.get_mut("src") {
                *source = from_root(source);
            }
        }
    }
    Value::Object(manifest).to_string()
}

fn minimal() -> Map<String, Value> {
    let minimal = json!({ "name": "Clearline", "short_name": "Clearline", "display": "standalone" });
    minimal.as_object().cloned().unwrap_or_default()
}

/// The manifest has moved from the root to the account's folder; what was relative to the root must be made absolute.
fn from_root(source: &str) -> String {
    let is_absolute = source.starts_with('/') || source.contains(':');
    if is_absolute {
        source.to_owned()
    } else {
        format!("/{}", source.trim_start_matches("./"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_account_is_the_scope_and_images_stay_reachable() {
        let base = br#"{"name":"Phone","start_url":"/","icons":[{"src":"icons/a.png"},{"src":"./b.png"},{"src":"/c.png"}]}"#;
        let manifest: Value = serde_json::from_str(&for_account(Some(base), "alice")).unwrap();
        assert_eq!(manifest["name"], "Phone");
        for key in ["id", "start_url", "scope"] {
            assert_eq!(manifest[key], "/u/alice/");
        }
        let sources: Vec<_> = manifest["icons"]
            .as_array()
            .unwrap()
            .iter()
            .map(|icon| &icon["src"])
            .collect();
        assert_eq!(sources, ["/icons/a.png", "/b.png", "/c.png"]);
    }

    #[test]
    fn without_a_usable_base_there_is_a_minimal_one() {
        for base in [None, Some(b"not json".as_slice()), Some(b"[]")] {
            let manifest: Value = serde_json::from_str(&for_account(base, "bob")).unwrap();
            assert_eq!(
                (&manifest["name"], &manifest["scope"]),
                (&json!("Clearline"), &json!("/u/bob/"))
            );
        }
    }
}
