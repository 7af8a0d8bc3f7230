//! The names that projects have in Azure where the spec gives none.

use std::collections::HashMap;

use foundry_operator::api::FoundryProject;
use foundry_operator::arm::ArmId;
use foundry_operator::kinds::project::azure_name;
use proptest::prelude::*;
use serde_json::json;

const NAMESPACE: &str = "[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?";
const NAME: &str = "[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?";

fn name_of(namespace: &str, name: &str) -> String {
    let project = json!({
        "apiVersion": "foundryoperator.dev/v1alpha1", "kind": "FoundryProject",
        "metadata": {"namespace": namespace, "name": name}, "spec": {"hubRef": {"name": "hub"}},
    });
    azure_name(&serde_json::from_value::<FoundryProject>(project).unwrap())
}

proptest! {
    /// FACT: `^[a-zA-Z0-9][a-zA-Z0-9_-]{2,32}$` (ARM reference, section 2).
    #[test]
    fn every_project_has_a_name_that_azure_takes(namespace in NAMESPACE, name in NAME) {
        let name = name_of(&namespace, &name);
        prop_assert!((3..=33).contains(&name.len()), "{}", name);
        prop_assert!(name.chars().all(|c| c.is_ascii_alphanumeric() || c == '-' || c == '_'), "{}", name);
        prop_assert!(name.starts_with(|c: char| c.is_ascii_alphanumeric()), "{}", name);
        prop_assert!(ArmId::workspace("s", "g", &name).is_ok(), "{}", name);
    }
}

#[test]
fn long_names_that_begin_alike_stay_distinct() {
    let mut owners = HashMap::new();
    for (of, at) in (0..200).flat_map(|of| (0..200).map(move |at| (of, at))) {
        let owner = (format!("a-rather-long-namespace-{of}"), format!("a-rather-long-name-of-a-project-{at}"));
        if let Some(other) = owners.insert(name_of(&owner.0, &owner.1), owner.clone()) {
            panic!("{owner:?} and {other:?} have the same name");
        }
    }
}
