//! Documents of different lives, compared.

use serde_json::Value;

/// What Azure makes anew for each resource: times and ids.
pub const OF_AZURE: [&str; 8] = [
    "containerName",
    "creationTime",
    "fileShareName",
    "notebookInfo",
    "principalId",
    "sdkTelemetryAppInsightsKey",
    "systemData",
    "workspaceId",
];

/// Takes out the fields of these names, wherever they are, and puts the second of each pair in place of the first.
pub fn blank(value: &mut Value, fields: &[&str], names: &[(&str, &str)]) {
    let renamed = |text: &str| names.iter().fold(text.to_owned(), |text, (from, to)| text.replace(from, to));
    match value {
        Value::Object(object) => {
            object.retain(|field, _| !fields.contains(&field.as_str()));
            for (field, mut below) in std::mem::take(object) {
                blank(&mut below, fields, names);
                object.insert(renamed(&field), below);
            }
        }
        Value::Array(items) => items.iter_mut().for_each(|item| blank(item, fields, names)),
        Value::String(text) => *text = renamed(text),
        _ => {}
    }
}
