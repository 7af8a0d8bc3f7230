//! Values that are wrong are refused by name.

use super::release::shared;

/// Why helm renders nothing with a value.
fn refusal(value: &str) -> String {
    let chart = stage::repository().join("charts/foundry-operator").display().to_string();
    shared().helm(&["template", "tried", &chart, "--set", value]).unwrap_err().to_string()
}

/// Each value with what its refusal has to say.
fn are_refused(table: &[(&str, &str)]) {
    for (value, told) in table {
        let refusal = refusal(value);
        assert!(refusal.contains(told), "{value}: {refusal}");
    }
}

#[test]
fn a_malformed_value_is_refused_by_name() {
    #[rustfmt::skip]
    let table = [
        ("replicas=two", "at '/replicas': got string, want integer"),
        ("azure.cloud=moon", "at '/azure/cloud'"),
        ("azure.clientId=me", "at '/azure/clientId'"),
        ("azure.armEndpoint=http://arm", "at '/azure/armEndpoint'"),
        ("resync=soon", "at '/resync'"),
        ("leaderElection.leaseDuration=1500ms", "at '/leaderElection/leaseDuration'"),
        ("watchNamespaces={Team}", "at '/watchNamespaces/0'"),
        ("image.digest=latest", "at '/image/digest'"),
        ("admissionPolicy.actions={Shout}", "at '/admissionPolicy/actions/0'"),
    ];
    are_refused(&table);
}

#[test]
fn an_unknown_value_is_refused_by_name_wherever_it_is() {
    #[rustfmt::skip]
    let table = [
        ("replica=2", "at '': additional properties 'replica'"),
        ("azure.clientID=x", "at '/azure': additional properties 'clientID'"),
        ("azure.caBundle.secret=x", "at '/azure/caBundle': additional properties 'secret'"),
        ("serviceMonitor.enable=true", "at '/serviceMonitor': additional properties 'enable'"),
    ];
    are_refused(&table);
}

#[test]
fn what_another_value_needs_is_missed_by_name() {
    #[rustfmt::skip]
    let table = [
        ("azure.credential=client-secret", "/azure/clientSecret/secretName"),
        ("azure.workloadIdentity.webhook=false", "/azure/tenantId"),
        ("azure.cloud=custom", "/azure/authorityHost"),
        ("secrets.access=namespaces", "/secrets/namespaces"),
        ("leaderElection.enabled=false", "/replicas"),
        ("admissionPolicy.enabled=true", "/admissionPolicy/targets"),
    ];
    are_refused(&table);
}
