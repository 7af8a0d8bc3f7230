//! Rules of a hub's managed network.

use serde_json::{Value, json};

use super::{Desk, Kind, arm_id, at, quoted, with};

const HUB: Kind = Kind::Hub;

fn network(rules: &[Value]) -> Value {
    HUB.but(at("managedNetwork", json!({"isolationMode": "AllowOnlyApprovedOutbound", "outboundRules": rules})))
}

fn pypi() -> Value {
    json!({"name": "pypi", "type": "FQDN", "fqdn": "pypi.org"})
}

fn registry() -> Value {
    let id = arm_id("Microsoft.ContainerRegistry/registries/contoso");
    json!({"name": "registry", "type": "PrivateEndpoint",
        "privateEndpoint": {"serviceResourceId": id, "subresourceTarget": "registry"}})
}

fn monitor() -> Value {
    json!({"name": "monitor", "type": "ServiceTag",
        "serviceTag": {"tag": "AzureMonitor", "protocol": "TCP", "portRanges": "443"}})
}

#[tokio::test]
async fn rules_of_each_type_pass_with_all_that_they_may_say() {
    let desk = Desk::new().await;
    desk.accepts(HUB, network(&[pypi(), registry(), monitor()])).await;
    let full = [
        with(pypi(), json!({"fqdn": "*.blob.core.windows.net"})),
        with(registry(), json!({"privateEndpoint": {"sparkEnabled": true, "fqdns": ["contoso.azurecr.io"]}})),
        with(
            monitor(),
            json!({"serviceTag": {"protocol": "*", "portRanges": "80, 8080-8089,443", "action": "Deny", "addressPrefixes": ["10.0.0.0/8"]}}),
        ),
    ];
    desk.accepts(HUB, network(&full)).await;
    let prefixes_alone = json!({"serviceTag": {"tag": null, "addressPrefixes": ["10.0.0.0/8"]}});
    desk.accepts(HUB, network(&[with(monitor(), prefixes_alone)])).await;
    let many: Vec<Value> = (0..250).map(|n| with(pypi(), json!({"name": format!("rule-{n}")}))).collect();
    desk.accepts(HUB, network(&many)).await;
}

#[tokio::test]
async fn fields_of_another_type_are_refused() {
    let desk = Desk::new().await;
    let says = "give the one field that goes with type: fqdn with FQDN, privateEndpoint with PrivateEndpoint, serviceTag with ServiceTag";
    let types = [pypi(), registry(), monitor()];
    let field = "spec.managedNetwork.outboundRules[0]";
    for one in &types {
        for other in types.iter().filter(|other| other["type"] != one["type"]) {
            let wrong_type = with(one.clone(), json!({"type": other["type"]}));
            desk.refuses(HUB, network(&[wrong_type]), field, says).await;
            let both = with(other.clone(), one.clone());
            desk.refuses(HUB, network(&[both]), field, says).await;
        }
        let neither = json!({"name": one["name"], "type": one["type"]});
        desk.refuses(HUB, network(&[neither]), field, says).await;
    }
}

#[tokio::test]
async fn a_rule_without_a_name_or_type_or_with_an_unknown_one_is_refused() {
    let desk = Desk::new().await;
    let at = |field: &str| format!("spec.managedNetwork.outboundRules[0].{field}");
    for field in ["name", "type"] {
        let spec = network(&[with(pypi(), json!({field: null}))]);
        desk.refuses(HUB, spec, &at(field), "Required value").await;
    }
    let says = "name must have 3 to 33 letters, digits, '-' or '_', and begin with a letter or digit";
    for name in ["__SYS_PE_blob", "py", "py.pi"] {
        desk.refuses(HUB, network(&[with(pypi(), json!({"name": name}))]), &at("name"), says).await;
    }
    let says = format!("supported values: {}", quoted(&["FQDN", "PrivateEndpoint", "ServiceTag"]));
    desk.refuses(HUB, network(&[with(pypi(), json!({"type": "Fqdn"}))]), &at("type"), &says).await;
}

#[tokio::test]
async fn two_rules_of_one_name_and_too_many_are_refused() {
    let desk = Desk::new().await;
    desk.refuses(HUB, network(&[pypi(), pypi()]), "spec.managedNetwork.outboundRules[1]", "Duplicate value").await;
    let many: Vec<Value> = (0..251).map(|n| with(pypi(), json!({"name": format!("rule-{n}")}))).collect();
    desk.refuses(HUB, network(&many), "spec.managedNetwork.outboundRules", "must have at most 250 items").await;
}

#[tokio::test]
async fn destinations_that_lead_nowhere_are_refused() {
    let desk = Desk::new().await;
    let at = |field: &str| format!("spec.managedNetwork.outboundRules[0].{field}");
    let says = "fqdn must be the name of a host, such as pypi.org, or *. and a domain: no scheme, path or port";
    for host in ["https://pypi.org", "pypi.org/simple", "pypi.org:443", "*", "py*.org", "-pypi.org", ""] {
        desk.refuses(HUB, network(&[with(pypi(), json!({"fqdn": host}))]), &at("fqdn"), says).await;
    }
    let says = "must be the ARM id of a resource: /subscriptions/<guid>/resourceGroups/<name>/providers/<namespace>/<type>/<name>";
    for id in ["contoso", "/subscriptions/x/resourceGroups/rg/providers/A.B/c/d", "https://contoso.azurecr.io"] {
        let rule = with(registry(), json!({"privateEndpoint": {"serviceResourceId": id}}));
        desk.refuses(HUB, network(&[rule]), &at("privateEndpoint.serviceResourceId"), says).await;
    }
    let nobody = with(monitor(), json!({"serviceTag": {"tag": null}}));
    let says = "name the service by its tag, such as AzureMonitor, or list addressPrefixes";
    desk.refuses(HUB, network(&[nobody]), &at("serviceTag"), says).await;
    let says = "portRanges must be ports and ranges of ports, such as '80, 8080-8089', or '*'";
    for ports in ["http", "80-", "80;443", "*,80"] {
        let rule = with(monitor(), json!({"serviceTag": {"portRanges": ports}}));
        desk.refuses(HUB, network(&[rule]), &at("serviceTag.portRanges"), says).await;
    }
    let rule = with(monitor(), json!({"serviceTag": {"protocol": "6"}}));
    let says = "protocol must be a word such as TCP or UDP, or *";
    desk.refuses(HUB, network(&[rule]), &at("serviceTag.protocol"), says).await;
    let rule = with(monitor(), json!({"serviceTag": {"action": "Maybe"}}));
    let says = format!("supported values: {}", quoted(&["Allow", "Deny"]));
    desk.refuses(HUB, network(&[rule]), &at("serviceTag.action"), &says).await;
}

#[tokio::test]
async fn rules_and_setting_up_without_a_network_are_refused() {
    let desk = Desk::new().await;
    let off = |more: Value| HUB.but(at("managedNetwork", with(json!({"isolationMode": "Disabled"}), more)));
    let says = "outboundRules need a network: choose an isolationMode other than Disabled, or take them out";
    desk.refuses(HUB, off(json!({"outboundRules": [pypi()]})), "spec.managedNetwork", says).await;
    let says = "provisionNow needs a network: choose an isolationMode other than Disabled, or take it out";
    desk.refuses(HUB, off(json!({"provisionNow": true})), "spec.managedNetwork", says).await;
    desk.accepts(HUB, off(json!({"outboundRules": [], "provisionNow": false}))).await;
}
