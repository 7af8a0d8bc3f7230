//! What holds of any input: each property is tried with many, and where it does not hold the smallest is shown.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

mod bodies;
mod errors;
mod ids;
mod marks;
mod names;
mod plans;

use proptest::prelude::*;
use serde_json::Value;

/// Any JSON, a few levels deep.
fn json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        ".{0,12}".prop_map(Value::from),
    ];
    let key =
        prop_oneof!["[a-z~/]{0,4}", Just("error".to_owned()), Just("message".to_owned()), Just("code".to_owned())];
    leaf.prop_recursive(4, 24, 4, move |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::btree_map(key.clone(), inner, 0..4)
                .prop_map(|map| Value::Object(map.into_iter().collect())),
        ]
    })
}
