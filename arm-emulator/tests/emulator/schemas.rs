//! The official schemas, in the small.

use std::fs;
use std::path::PathBuf;

use arm_emulator::{Config, Emulator, StartError};
use serde_json::{Value, json};

use crate::session::{Session, config, hub_body, workspace};

/// What the official ones look like, cut down to a few properties.
fn schema() -> Value {
    let or_expression =
        |schema: Value| json!({"oneOf": [schema, {"$ref": "https://schema.example/common#/expression"}]});
    let resource = |name: &str, properties: &str, more: Value| {
        let mut fields = json!({
            "apiVersion": {"type": "string", "enum": ["2025-12-01"]},
            "type": {"type": "string", "enum": [name]},
            "name": or_expression(json!({"type": "string", "pattern": "^[a-zA-Z0-9][a-zA-Z0-9_-]{2,32}$"})),
            "properties": or_expression(json!({"$ref": format!("#/definitions/{properties}")}))
        });
        fields.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        json!({"type": "object", "properties": fields, "required": ["name", "type", "apiVersion", "properties"]})
    };
    let text = json!({"type": "string"});
    json!({
        "resourceDefinitions": {
            "workspaces": resource("Microsoft.MachineLearningServices/workspaces", "Workspace",
                json!({"location": text, "kind": text, "identity": {"type": "object"},
                    "tags": {"type": "object", "properties": {}, "additionalProperties": text}})),
            "connections":
                resource("Microsoft.MachineLearningServices/workspaces/connections", "Connection", json!({}))
        },
        "definitions": {
            "Workspace": {"type": "object", "properties": {
                "friendlyName": text, "storageAccount": text, "keyVault": text, "hbiWorkspace": {"type": "boolean"}}},
            "Connection": {"allOf": [
                {"type": "object", "additionalProperties": false, "required": ["authType"], "properties": {
                    "authType": {"type": "string", "enum": ["CustomKeys", "None"]}, "category": text, "target": text}},
                {"oneOf": [
                    {"properties": {"authType": {"const": "None"}}, "required": ["authType"]},
                    {"properties": {"authType": {"const": "CustomKeys"},
                        "credentials": {"type": "object", "properties": {}, "additionalProperties": text}}}
                ]}
            ]}
        }
    })
}

fn folder(name: &str) -> PathBuf {
    let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("{name}-{}", std::process::id()));
    fs::create_dir_all(&folder).unwrap();
    folder
}

#[tokio::test]
async fn what_the_schemas_refuse_is_refused_and_remembered_without_values() {
    let folder = folder("schemas");
    fs::write(folder.join("small.json"), schema().to_string()).unwrap();
    let session = Session::with(Config { schemas: Some(folder.clone()), ..config() }).await;
    session.accepted(&workspace("hub"), hub_body()).await;
    let mut wrong = hub_body();
    wrong["properties"]["hbiWorkspace"] = json!("s3cr3t");
    wrong["properties"]["hubConfig"] = json!({});
    wrong["colour"] = json!("red");
    let reply = session.put(&workspace("other"), wrong).await;
    assert_eq!((reply.status, reply.code().as_str()), (400, "InvalidRequestContent"));
    for place in ["'properties.hbiWorkspace' is not of type boolean", "'properties.hubConfig' is not known", "'colour'"]
    {
        assert!(reply.message().contains(place), "{}", reply.message());
    }
    assert_eq!(session.get(&workspace("other")).await.status, 404);

    let connection = format!("{}/connections/keyed", workspace("hub"));
    let keyed = json!({"properties": {"authType": "CustomKeys", "category": "CustomKeys", "target": "t",
        "credentials": {"keys": {"a": "b"}}}});
    assert_eq!(session.put(&connection, keyed).await.status, 200);
    let unknown = json!({"properties": {"authType": "None", "category": "Git", "targets": "t"}});
    assert_eq!(session.put(&connection, unknown).await.status, 400);

    let listed = session.control("GET", "schema-violations", None).await;
    assert_eq!(listed.body().as_array().unwrap().len(), 2);
    assert!(!listed.text.contains("s3cr3t"));
    assert_eq!(session.emulator.schema_violations()[0].path, workspace("other"));
    assert_eq!(session.control("DELETE", "schema-violations", None).await.status, 204);
    assert!(session.emulator.schema_violations().is_empty());
    fs::remove_dir_all(folder).unwrap();
}

#[tokio::test]
async fn a_folder_without_schemas_is_no_folder_of_schemas() {
    let folder = folder("no-schemas");
    let started = Emulator::start(Config { schemas: Some(folder.clone()), ..config() }).await;
    assert!(matches!(started, Err(StartError::Schemas(_))));
    fs::remove_dir_all(folder).unwrap();
}
