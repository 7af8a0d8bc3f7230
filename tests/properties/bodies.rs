//! What differs, and what is sent about it.

use foundry_operator::arm::resource_type::{CONNECTION, WORKSPACE};
use foundry_operator::engine::body;
use foundry_operator::engine::ownership::OWNER_KEY;
use proptest::prelude::*;
use serde_json::{Map, Value, json};

fn text() -> impl Strategy<Value = Value> {
    "[a-c]{0,2}".prop_map(Value::from)
}

fn tags() -> impl Strategy<Value = Value> {
    prop::collection::btree_map("[a-c~/]{1,2}", text(), 0..4).prop_map(|map| Value::Object(map.into_iter().collect()))
}

/// A workspace, with all, some or none of its fields.
fn workspace() -> impl Strategy<Value = Value> {
    let field = || prop::option::of(text());
    let properties = [field(), field(), field(), field()];
    (prop::option::of(tags()), properties).prop_map(|(tags, values)| {
        let names = ["friendlyName", "description", "publicNetworkAccess", "systemDatastoresAuthMode"];
        let properties: Map<String, Value> =
            names.into_iter().zip(values).filter_map(|(name, value)| Some((name.to_owned(), value?))).collect();
        let mut workspace = json!({"properties": properties});
        if let Some(tags) = tags {
            workspace["tags"] = tags;
        }
        workspace
    })
}

/// As Azure takes a PATCH: maps such as tags are replaced whole, properties one by one.
fn patched(there: &Value, patch: &Value) -> Value {
    let mut there = there.clone();
    if let Some(tags) = patch.get("tags") {
        there["tags"] = tags.clone();
    }
    for (name, value) in patch["properties"].as_object().into_iter().flatten() {
        there["properties"][name] = value.clone();
    }
    there
}

proptest! {
    #[test]
    fn a_patch_leaves_no_difference(wanted in workspace(), there in workspace(), before in workspace()) {
        let formerly = body::leaves(&before);
        let differences = body::differences(&wanted, &there, &formerly, &WORKSPACE);
        let patch = body::patch(&wanted, &there, &differences, &formerly, &WORKSPACE);
        let after = patched(&there, &patch);
        prop_assert_eq!(body::differences(&wanted, &after, &formerly, &WORKSPACE), Vec::<String>::new(), "{}", patch);
    }

    #[test]
    fn a_replacement_leaves_no_difference(wanted in tags(), there in tags(), before in tags()) {
        let connection = |metadata: &Value| json!({"properties": {"target": "t", "metadata": metadata}});
        let (wanted, there, before) = (connection(&wanted), connection(&there), connection(&before));
        let formerly = body::leaves(&before);
        let after = body::replacement(&wanted, &there, &formerly, &CONNECTION);
        prop_assert_eq!(body::differences(&wanted, &after, &formerly, &CONNECTION), Vec::<String>::new());
    }

    #[test]
    fn only_what_is_or_was_managed_differs_and_only_that_is_changed(
        wanted in workspace(), there in workspace(), before in workspace(),
    ) {
        let formerly = body::leaves(&before);
        let managed: Vec<String> = body::leaves(&wanted).into_iter().chain(formerly.clone()).collect();
        let differences = body::differences(&wanted, &there, &formerly, &WORKSPACE);
        prop_assert!(differences.iter().all(|at| managed.contains(at)), "{:?}", differences);
        let after = patched(&there, &body::patch(&wanted, &there, &differences, &formerly, &WORKSPACE));
        for at in body::leaves(&there).iter().filter(|at| !managed.contains(at) && at.as_str() != "/tags") {
            prop_assert_eq!(after.pointer(at), there.pointer(at), "{}", at);
        }
    }

    #[test]
    fn what_is_as_wanted_differs_in_nothing(wanted in workspace()) {
        prop_assert_eq!(body::differences(&wanted, &wanted, &body::leaves(&wanted), &WORKSPACE), Vec::<String>::new());
    }

    #[test]
    fn taking_the_mark_off_takes_off_nothing_else(there in workspace()) {
        let mut marked = there.clone();
        body::set(&mut marked, &format!("/tags/{OWNER_KEY}"), json!("mark"));
        let after = patched(&marked, &body::unmarked(&marked, &WORKSPACE).unwrap());
        let mut before = there;
        if before["tags"].is_null() {
            before["tags"] = json!({});
        }
        prop_assert_eq!(after, before);
    }

    #[test]
    fn any_two_bodies_can_be_compared(wanted in crate::json(), there in crate::json(), formerly in ".{0,6}") {
        let formerly = [formerly];
        for type_ in [&WORKSPACE, &CONNECTION] {
            let differences = body::differences(&wanted, &there, &formerly, type_);
            let managed = body::leaves(&wanted);
            prop_assert!(differences.iter().all(|at| managed.contains(at) || formerly.contains(at)));
            let again = |body: &Value| body::differences(body, body, &formerly, type_);
            let patch = body::patch(&wanted, &there, &differences, &formerly, type_);
            let replacement = body::replacement(&wanted, &there, &formerly, type_);
            let unmarked = body::unmarked(&there, type_).unwrap_or_default();
            for body in [patch, replacement, unmarked] {
                prop_assert!(again(&body).iter().all(|at| formerly.contains(at)), "{}", body);
            }
        }
    }
}
