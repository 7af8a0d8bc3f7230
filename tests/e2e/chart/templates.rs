//! What the chart renders, under each of its sets of values, is what a real API server takes.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde::Deserialize as _;
use serde_json::{Value, json};

use super::release::shared;

fn chart() -> PathBuf {
    stage::repository().join("charts/foundry-operator")
}

/// The sets of values that the chart is tried with.
fn sets() -> Vec<PathBuf> {
    let files = std::fs::read_dir(chart().join("ci")).unwrap().map(|file| file.unwrap().path());
    let files: Vec<PathBuf> = files.collect();
    assert!(files.len() >= 10, "{files:?}");
    files
}

fn render(values: &Path) -> String {
    let (chart, values) = (chart().display().to_string(), values.display().to_string());
    // Another name than the one that is installed, so that the two are apart.
    shared().helm(&["template", "tried", &chart, "-n", "default", "-f", &values]).unwrap()
}

fn objects(manifest: &str) -> Vec<Value> {
    let documents = serde_yaml_ng::Deserializer::from_str(manifest).map(|it| Value::deserialize(it).unwrap());
    documents.filter(|object| !object.is_null()).collect()
}

fn deployment(values: &Path) -> Value {
    objects(&render(values)).into_iter().find(|object| object["kind"] == "Deployment").unwrap()
}

/// Kinds of the Prometheus operator: what they have in them it alone would check.
fn apply_monitoring_kinds() {
    for (kind, plural) in
        [("ServiceMonitor", "servicemonitors"), ("PodMonitor", "podmonitors"), ("PrometheusRule", "prometheusrules")]
    {
        let anything = json!({"type": "object", "x-kubernetes-preserve-unknown-fields": true});
        let crd = json!({
            "apiVersion": "apiextensions.k8s.io/v1", "kind": "CustomResourceDefinition",
            "metadata": {"name": format!("{plural}.monitoring.coreos.com")},
            "spec": {
                "group": "monitoring.coreos.com", "scope": "Namespaced",
                "names": {"kind": kind, "plural": plural, "singular": kind.to_lowercase()},
                "versions": [{"name": "v1", "served": true, "storage": true, "schema": {"openAPIV3Schema": anything}}],
            },
        });
        shared().apply(&crd.to_string()).unwrap();
        let name = format!("crd/{plural}.monitoring.coreos.com");
        shared().kubectl(&["wait", "--for=condition=Established", "--timeout=30s", &name]).unwrap();
    }
}

#[test]
fn every_set_of_values_is_taken_by_the_api_server() {
    apply_monitoring_kinds();
    let file = tempfile::NamedTempFile::new().unwrap();
    for values in sets() {
        let manifest = render(&values);
        std::fs::write(&file, &manifest).unwrap();
        let name = file.path().display().to_string();
        // The people's roles have the names that the installed release's have.
        let told = shared()
            .kubectl(&["apply", "--dry-run=server", "-f", &name])
            .unwrap_or_else(|refusal| panic!("{}: {refusal}", values.display()));
        assert_eq!(told.lines().count(), objects(&manifest).len(), "{}: {told}", values.display());
    }
}

#[test]
fn every_pod_is_one_that_a_restricted_namespace_takes() {
    let namespace = json!({
        "apiVersion": "v1", "kind": "Namespace",
        "metadata": {"name": "restricted", "labels": {"pod-security.kubernetes.io/enforce": "restricted"}},
    });
    shared().apply(&namespace.to_string()).unwrap();
    let refused = json!({
        "apiVersion": "v1", "kind": "Pod", "metadata": {"name": "careless", "namespace": "restricted"},
        "spec": {"containers": [{"name": "a", "image": "a"}]},
    });
    let file = tempfile::NamedTempFile::new().unwrap();
    let try_out = |pod: &Value| {
        std::fs::write(&file, pod.to_string()).unwrap();
        shared().kubectl(&["create", "--dry-run=server", "-f", &file.path().display().to_string()])
    };
    assert!(try_out(&refused).unwrap_err().to_string().contains("violates PodSecurity"), "nothing is enforced");
    for values in sets() {
        let mut pods = Vec::new();
        for object in objects(&render(&values)) {
            match object["kind"].as_str().unwrap() {
                "Deployment" => pods.push(object["spec"]["template"]["spec"].clone()),
                "Pod" => pods.push(object["spec"].clone()),
                _ => {}
            }
        }
        assert_eq!(pods.len(), 2);
        for mut spec in pods {
            for container in spec["containers"].as_array().unwrap() {
                assert_eq!(container["securityContext"]["readOnlyRootFilesystem"], true);
            }
            // Only kube-system may name it, and there is nothing else to test of it.
            spec.as_object_mut().unwrap().remove("priorityClassName");
            let pod = json!({
                "apiVersion": "v1", "kind": "Pod", "metadata": {"name": "tried", "namespace": "restricted"}, "spec": spec,
            });
            try_out(&pod).unwrap_or_else(|refusal| panic!("{}: {refusal}", values.display()));
        }
    }
}

#[test]
fn every_flag_of_the_operator_can_be_reached() {
    let help = Command::new(env!("CARGO_BIN_EXE_foundry-operator")).args(["run", "--help"]).output().unwrap();
    let help = String::from_utf8(help.stdout).unwrap();
    let flags: BTreeSet<String> = help
        .split("[env: ")
        .skip(1)
        .map(|after| after.split(['=', ']']).next().unwrap().split_whitespace().collect())
        .collect();
    assert!(flags.contains("FOUNDRY_CREDENTIAL") && flags.len() > 15, "{flags:?}");
    let given: BTreeSet<String> = sets()
        .iter()
        .flat_map(|values| {
            let deployment = deployment(values);
            let variables = deployment["spec"]["template"]["spec"]["containers"][0]["env"].clone();
            let names: Vec<String> =
                variables.as_array().unwrap().iter().map(|it| it["name"].as_str().unwrap().to_owned()).collect();
            names
        })
        .collect();
    assert_eq!(flags.difference(&given).collect::<Vec<_>>(), [""; 0], "no value sets them");
    // What the operator does not know would be set in vain; a proxy is read by its libraries.
    let unknown: Vec<_> = given.difference(&flags).filter(|name| *name != "HTTPS_PROXY").collect();
    assert_eq!(unknown, [""; 0]);
}

#[test]
fn the_crds_stay_when_their_chart_goes() {
    let chart = stage::repository().join("charts/foundry-operator-crds").display().to_string();
    let crds = objects(&shared().helm(&["template", "crds", &chart]).unwrap());
    assert_eq!(crds.len(), 3);
    for crd in crds {
        assert_eq!(crd["metadata"]["annotations"]["helm.sh/resource-policy"], "keep", "{}", crd["metadata"]["name"]);
    }
}
