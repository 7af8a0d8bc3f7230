//! Rules of the secret fields of connections' credentials.

use serde_json::{Map, Value, json};

use super::credentials::{SECRET_FIELDS, holding};
use super::{Desk, Kind, at};
use crate::harness::from_secret;

const CONNECTION: Kind = Kind::Connection;
const PLAIN: &str = "p1a1n-va1ue";

#[tokio::test]
async fn a_secret_given_inline_is_refused_and_not_repeated() {
    let desk = Desk::new().await;
    let beside = |place: &str| {
        let mut field = from_secret("aoai", "key");
        field.pointer_mut(place).unwrap()["value"] = json!(PLAIN);
        field
    };
    for field in SECRET_FIELDS {
        let path = format!("spec.credentials.{field}");
        let silent = |told: String| assert!(!told.contains(PLAIN), "{field}: {told}");
        for value in [json!(PLAIN), json!([PLAIN])] {
            silent(desk.refuses(CONNECTION, holding(field, value), &path, "must be of type object").await);
        }
        for (value, place) in [
            (json!({"value": PLAIN}), ".value"),
            (json!({"stringData": PLAIN}), ".stringData"),
            (beside(""), ".value"),
            (beside("/valueFrom"), ".valueFrom.value"),
            (beside("/valueFrom/secretKeyRef"), ".valueFrom.secretKeyRef.value"),
        ] {
            let place = format!("{path}{place}");
            silent(desk.refuses_unknown(CONNECTION, holding(field, value), &place).await);
        }
        let spec = holding(field, json!({"valueFrom": PLAIN}));
        let place = format!("{path}.valueFrom");
        silent(desk.refuses(CONNECTION, spec, &place, "must be of type object").await);
        let spec = holding(field, json!({"valueFrom": {"secretKeyRef": PLAIN}}));
        let place = format!("{path}.valueFrom.secretKeyRef");
        silent(desk.refuses(CONNECTION, spec, &place, "must be of type object").await);
    }
}

/// `kubectl apply --validate=ignore` and clients that do not ask for strictness.
#[tokio::test]
async fn a_secret_given_inline_is_not_kept_where_the_client_lets_unknown_fields_pass() {
    let desk = Desk::new().await;
    let mut value = from_secret("aoai", "key");
    value["value"] = json!(PLAIN);
    for field in SECRET_FIELDS {
        let spec = holding(field, value.clone());
        let kept = desk.send(CONNECTION, "churn", spec, true, "Ignore").await.unwrap();
        assert!(!kept.to_string().contains(PLAIN), "{kept}");
        let spec = holding(field, json!({"value": PLAIN}));
        let status = desk.send(CONNECTION, "churn", spec, true, "Ignore").await.unwrap_err();
        let place = format!("spec.credentials.{field}.valueFrom");
        let told = super::refusal(&status, &[(&place, "Required value")], &json!(field));
        assert!(!told.contains(PLAIN), "{told}");
    }
}

#[tokio::test]
async fn a_secret_field_names_a_secret_and_a_key() {
    let desk = Desk::new().await;
    let longest = "s".repeat(253);
    for field in SECRET_FIELDS {
        for value in [from_secret("s", "k"), from_secret(&longest, &longest)] {
            desk.accepts(CONNECTION, holding(field, value)).await;
        }
    }
}

#[tokio::test]
async fn a_secret_field_that_names_no_secret_or_no_key_is_refused() {
    let desk = Desk::new().await;
    let long = "s".repeat(254);
    let (empty, too_long) = ("should be at least 1 chars long", "Too long: may not be more than 253 bytes");
    for field in SECRET_FIELDS {
        for (value, place, says) in [
            (json!({}), "", "Required value"),
            (json!({"valueFrom": {}}), ".secretKeyRef", "Required value"),
            (at("valueFrom.secretKeyRef", json!({"key": "k"})), ".secretKeyRef.name", "Required value"),
            (at("valueFrom.secretKeyRef", json!({"name": "s"})), ".secretKeyRef.key", "Required value"),
            (from_secret("", "k"), ".secretKeyRef.name", empty),
            (from_secret("s", ""), ".secretKeyRef.key", empty),
            (from_secret(&long, "k"), ".secretKeyRef.name", too_long),
            (from_secret("s", &long), ".secretKeyRef.key", too_long),
        ] {
            let path = format!("spec.credentials.{field}.valueFrom{place}");
            desk.refuses(CONNECTION, holding(field, value), &path, says).await;
        }
    }
}

fn custom_keys(count: usize) -> Value {
    let keys: Map<String, Value> = (0..count).map(|n| (format!("key-{n}"), from_secret("s", "k"))).collect();
    Value::Object(keys)
}

fn with_keys(keys: &Value) -> Value {
    CONNECTION.but(json!({"authType": "CustomKeys", "credentials": {"keys": keys}}))
}

#[tokio::test]
async fn one_to_forty_custom_keys_of_any_name_pass() {
    let desk = Desk::new().await;
    for keys in [custom_keys(1), custom_keys(40), json!({"a/b ~c": from_secret("s", "k")})] {
        let kept = desk.accepts(CONNECTION, with_keys(&keys)).await;
        assert_eq!(kept["credentials"]["keys"], keys);
    }
}

#[tokio::test]
async fn no_custom_keys_and_too_many_are_refused() {
    let desk = Desk::new().await;
    for (keys, says) in
        [(json!({}), "should have at least 1 properties"), (custom_keys(41), "must have at most 40 items")]
    {
        desk.refuses(CONNECTION, with_keys(&keys), "spec.credentials.keys", says).await;
    }
}
