//! What users are given to start from is accepted as it stands.

use std::collections::BTreeSet;
use std::path::PathBuf;

use foundry_operator::api::crds;
use serde::Deserialize as _;
use serde_json::{Value, json};

use crate::harness::cluster;

const FOLDERS: [&str; 3] = ["config/samples", "config/demo", "config/rbac"];

fn files(folder: &str) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(stage::repository().join(folder)).unwrap();
    let mut files: Vec<PathBuf> = entries.map(|entry| entry.unwrap().path()).collect();
    files.sort();
    assert!(!files.is_empty(), "{folder} is empty");
    files
}

/// The objects of a file.
fn objects(file: &PathBuf) -> Vec<Value> {
    let text = std::fs::read_to_string(file).unwrap();
    serde_yaml_ng::Deserializer::from_str(&text).map(|document| Value::deserialize(document).unwrap()).collect()
}

fn sample(kind: &str, file: &str) -> Vec<Value> {
    let objects = objects(&stage::repository().join("config/samples").join(file));
    objects.into_iter().filter(|object| object["kind"] == kind).collect()
}

#[test]
fn every_sample_is_accepted() {
    let files: Vec<PathBuf> = FOLDERS.iter().flat_map(|folder| files(folder)).collect();
    // A dry run makes no namespace, and what is in a namespace needs it.
    for namespace in files.iter().flat_map(objects).filter(|object| object["kind"] == "Namespace") {
        cluster().apply(&namespace.to_string()).unwrap();
    }
    for file in files {
        let name = file.display().to_string();
        let told = cluster()
            .kubectl(&["apply", "--dry-run=server", "-f", &name])
            .unwrap_or_else(|refusal| panic!("{name}: {refusal}"));
        assert_eq!(told.lines().count(), objects(&file).len(), "{name}: {told}");
    }
}

/// The fields of a kind's spec, and the values of one of them.
fn spec_schema(kind: &str) -> Value {
    let crds: Vec<Value> = crds().unwrap().iter().map(|crd| json!(crd)).collect();
    let crd = crds.iter().find(|crd| crd["spec"]["names"]["kind"] == kind).unwrap();
    crd["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]["spec"]["properties"].clone()
}

#[test]
fn the_samples_of_hub_and_project_show_every_field() {
    for (kind, file) in [("FoundryHub", "hub.yaml"), ("FoundryProject", "project.yaml")] {
        let sample = sample(kind, file).remove(0);
        for field in spec_schema(kind).as_object().unwrap().keys() {
            assert!(!sample["spec"][field].is_null(), "{file} does not show {field}");
        }
    }
}

#[test]
fn the_samples_of_connections_show_every_field_and_every_auth_type() {
    let samples = sample("FoundryConnection", "connections.yaml");
    let schema = spec_schema("FoundryConnection");
    for field in schema.as_object().unwrap().keys() {
        let shown = samples.iter().any(|sample| !sample["spec"][field].is_null());
        assert!(shown, "no connection shows {field}");
    }
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let shown: BTreeSet<String> = samples.iter().map(|sample| text(&sample["spec"]["authType"])).collect();
    let known: BTreeSet<String> = schema["authType"]["enum"].as_array().unwrap().iter().map(text).collect();
    assert_eq!(shown, known);
}

#[test]
fn the_samples_of_connections_have_their_secrets_beside_them() {
    let secrets = sample("Secret", "connections.yaml");
    let has = |namespace: &Value, reference: &Value| {
        let key = reference["key"].as_str().unwrap();
        secrets.iter().any(|secret| {
            secret["metadata"]["namespace"] == *namespace
                && secret["metadata"]["name"] == reference["name"]
                && secret["stringData"][key].is_string()
        })
    };
    for connection in sample("FoundryConnection", "connections.yaml") {
        let mut references = Vec::new();
        secret_references(&connection["spec"], &mut references);
        for reference in references {
            assert!(has(&connection["metadata"]["namespace"], &reference), "no Secret for {reference}");
        }
    }
}

fn secret_references(value: &Value, found: &mut Vec<Value>) {
    for (key, inner) in value.as_object().into_iter().flatten() {
        if key == "secretKeyRef" {
            found.push(inner.clone());
        } else {
            secret_references(inner, found);
        }
    }
}
