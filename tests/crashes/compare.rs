//! Where two documents differ, for people.

use std::collections::BTreeSet;

use serde_json::Value;

/// What is at each place where the documents differ.
pub fn differences(is: &Value, usual: &Value, at: &str) -> Vec<String> {
    match (is, usual) {
        (Value::Object(is), Value::Object(usual)) => {
            let fields: BTreeSet<&String> = is.keys().chain(usual.keys()).collect();
            let below = |field: &&String| {
                let value = |of: &serde_json::Map<String, Value>| of.get(*field).cloned().unwrap_or_default();
                differences(&value(is), &value(usual), &format!("{at}/{field}"))
            };
            fields.iter().flat_map(below).collect()
        }
        (Value::Array(is), Value::Array(usual)) if is.len() == usual.len() => {
            let pairs = is.iter().zip(usual).enumerate();
            pairs.flat_map(|(place, (is, usual))| differences(is, usual, &format!("{at}/{place}"))).collect()
        }
        _ if is == usual => Vec::new(),
        _ => vec![format!("{at} is {is} and not {usual}")],
    }
}
