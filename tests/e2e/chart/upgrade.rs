//! What is installed can be upgraded, and what users made outlives the charts.

use std::path::Path;
use std::process::Command;

use serde_json::Value;

use super::release::shared;
use crate::harness::{admin, new_namespace};

/// The charts as they first landed, where the repository's history has them.
fn first_landed(folder: &Path) -> Option<String> {
    let git = |arguments: &[&str]| {
        let output = Command::new("git").current_dir(stage::repository()).args(arguments).output().ok()?;
        output.status.success().then_some(output.stdout)
    };
    // Of a shallow clone's history the first commit adds everything.
    if String::from_utf8_lossy(&git(&["rev-parse", "--is-shallow-repository"])?).trim() != "false" {
        return None;
    }
    let added = git(&["log", "--diff-filter=A", "--format=%H", "--", "charts/foundry-operator/Chart.yaml"])?;
    let first = String::from_utf8(added).ok()?.lines().last()?.to_owned();
    let archive = folder.join("charts.tar");
    git(&["archive", "--output", &archive.display().to_string(), &first, "charts"])?;
    let unpacked = Command::new("tar").arg("-xf").arg(&archive).arg("-C").arg(folder).status().ok()?;
    unpacked.success().then_some(first)
}

#[tokio::test]
#[expect(clippy::print_stderr, reason = "what is left out is said")]
async fn the_chart_as_it_first_landed_is_upgraded_to_the_present_one() {
    let folder = tempfile::tempdir().unwrap();
    let Some(first) = first_landed(folder.path()) else {
        eprintln!("SKIPPED: the upgrade from the chart as it first landed: the repository's history is not there");
        return;
    };
    let name = new_namespace(&admin().await, &[]).await;
    let own = ["--set", &format!("fullnameOverride={name},rbac.userRoles=false"), "--namespace", &name];
    let old = folder.path().join("charts/foundry-operator").display().to_string();
    shared().helm(&[&["install", &name, &old][..], &own].concat()).unwrap_or_else(|told| panic!("{first}: {told}"));
    let before = shared().get("deployment", &name, &name).unwrap().unwrap();
    shared().install(&name, "foundry-operator", &name, &["--reset-then-reuse-values"]).unwrap();
    let after = shared().get("deployment", &name, &name).unwrap().unwrap();
    assert_eq!(after["metadata"]["uid"], before["metadata"]["uid"], "made anew");
    let releases = shared().helm(&["list", "-n", &name, "-o", "json"]).unwrap();
    let releases: Value = serde_json::from_str(&releases).unwrap();
    let release = (&releases[0]["revision"], &releases[0]["status"]);
    assert_eq!(release, (&Value::from("2"), &Value::from("deployed")), "{releases}");
    shared().helm(&["uninstall", &name, "-n", &name]).unwrap();
    assert_eq!(shared().get("deployment", &name, &name).unwrap(), None);
}

#[test]
fn the_kinds_outlive_their_chart_and_are_taken_up_by_the_next() {
    let kinds = || shared().kubectl(&["get", "crds", "-o", "name"]).unwrap().matches("foundryoperator.dev").count();
    shared().helm(&["uninstall", "foundry-operator-crds", "-n", stage::OPERATOR_NAMESPACE]).unwrap();
    assert_eq!(kinds(), 3);
    shared().install("foundry-operator-crds", "foundry-operator-crds", stage::OPERATOR_NAMESPACE, &[]).unwrap();
    assert_eq!(kinds(), 3);
}
