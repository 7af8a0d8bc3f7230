//! The official schemas of ARM, by which what is sent may be checked (ARM reference, "schemas").

mod validator;

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::sync::Arc;

use jiff::Timestamp;
use serde::Serialize;
use serde_json::{Value, json};

use crate::categories;

/// A body that the official schemas refuse.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct SchemaViolation {
    /// When it was sent.
    pub time: Timestamp,
    /// The path it was sent to.
    pub path: String,
    /// The type of the resource, as the schema calls it.
    pub resource_type: String,
    /// What is wrong and where, without any value.
    pub wrong: Vec<String>,
}

/// The definitions of resources, by type (in lower case) and version.
#[derive(Debug, Default)]
pub(crate) struct Schemas {
    definitions: BTreeMap<(String, String), (Arc<Value>, String)>,
}

impl Schemas {
    /// Reads every schema of a folder.
    pub(crate) fn read(folder: &Path) -> Result<Self, String> {
        let told = |path: &Path, error: &dyn std::fmt::Display| format!("{}: {error}", path.display());
        let mut schemas = Self::default();
        for entry in fs::read_dir(folder).map_err(|error| told(folder, &error))? {
            let path = entry.map_err(|error| told(folder, &error))?.path();
            if path.extension().is_none_or(|extension| extension != "json") {
                continue;
            }
            let text = fs::read(&path).map_err(|error| told(&path, &error))?;
            schemas.add(serde_json::from_slice(&text).map_err(|error| told(&path, &error))?);
        }
        if schemas.definitions.is_empty() {
            return Err(told(folder, &"no schema with resourceDefinitions"));
        }
        Ok(schemas)
    }

    fn add(&mut self, document: Value) {
        let document = Arc::new(document);
        for (name, definition) in document["resourceDefinitions"].as_object().into_iter().flatten() {
            let properties = &definition["properties"];
            let resource_type = properties["type"]["enum"][0].as_str().unwrap_or_default().to_lowercase();
            for version in properties["apiVersion"]["enum"].as_array().into_iter().flatten().filter_map(Value::as_str) {
                let key = (resource_type.clone(), version.to_owned());
                self.definitions.insert(key, (Arc::clone(&document), name.clone()));
            }
        }
    }

    /// What is wrong with the body of a PUT; nothing where there is no schema of the type in this version.
    pub(crate) fn check(&self, resource_type: &str, name: &str, version: &str, body: &Value) -> Vec<String> {
        let Some((document, definition)) = self.definitions.get(&(resource_type.to_lowercase(), version.to_owned()))
        else {
            return Vec::new();
        };
        let mut sent = as_in_a_template(body);
        if let Some(fields) = sent.as_object_mut() {
            // In a template these stand in the body, in a request they stand in the URL.
            fields.insert("type".to_owned(), json!(resource_type));
            fields.insert("apiVersion".to_owned(), json!(version));
            fields.insert("name".to_owned(), json!(name));
        }
        validator::check(document, &document["resourceDefinitions"][definition.as_str()], &sent)
            .into_iter()
            .map(|wrong| format!("'{}' {}", wrong.at, wrong.what))
            .collect()
    }
}

/// The body as the schema writes it, where the schema is known to differ from the service.
fn as_in_a_template(body: &Value) -> Value {
    let mut body = body.clone();
    // The schema has the keys right below `credentials` (ARM reference, section 4).
    if body["properties"]["authType"] == "CustomKeys"
        && let Some(credentials) = body.pointer_mut("/properties/credentials")
        && credentials["keys"].is_object()
    {
        *credentials = credentials["keys"].take();
    }
    // A category is taken in any letter case, as recorded.
    if let Some(Value::String(category)) = body.pointer_mut("/properties/category") {
        *category = categories::canonical(category).to_owned();
    }
    // Null takes an identity away (ARM reference, section 3).
    if let Some(Value::Object(assigned)) = body.pointer_mut("/identity/userAssignedIdentities") {
        assigned.retain(|_, value| !value.is_null());
    }
    body
}
