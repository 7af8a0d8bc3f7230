//! The managed network of a workspace (ARM reference, section 3).

use serde_json::{Map, Value, json};

pub(super) fn is_enabled(network: &Value) -> bool {
    network["isolationMode"].as_str().is_some_and(|mode| !mode.eq_ignore_ascii_case("Disabled"))
}

/// The settings after a write. Left out means unchanged, since a network cannot be taken away.
///
/// The reference has the categories of rules; which rules the service adds and how it calls them is an assumption.
pub(super) fn settings(sent: &Value, before: Option<&Value>, provision_now: bool, storage: Option<&str>) -> Value {
    if sent.is_null()
        && let Some(before) = before.filter(|before| before.is_object())
    {
        return before.clone();
    }
    let mode = sent["isolationMode"].as_str().or_else(|| before?["isolationMode"].as_str()).unwrap_or("Disabled");
    let mut network = json!({"isolationMode": mode, "changeableIsolationModes": changeable(mode)});
    if mode == "Disabled" {
        return network;
    }
    let kept = |name: &str| -> Option<Value> {
        let value = if sent[name].is_null() { before?[name].clone() } else { sent[name].clone() };
        (!value.is_null()).then_some(value)
    };
    for name in ["firewallSku", "managedNetworkKind", "enableNetworkMonitor"] {
        if let Some(value) = kept(name) {
            network[name] = value;
        }
    }
    let was_active = before.is_some_and(|before| before["status"]["status"] == "Active");
    let active = was_active || provision_now;
    network["status"] = json!({"status": if active { "Active" } else { "Inactive" }, "sparkReady": false});
    network["outboundRules"] = Value::Object(rules(kept("outboundRules"), active, storage));
    network
}

fn rules(sent: Option<Value>, active: bool, storage: Option<&str>) -> Map<String, Value> {
    let state = if active { "Active" } else { "Inactive" };
    let mut rules = match sent {
        Some(Value::Object(rules)) => rules,
        _ => Map::new(),
    };
    rules.retain(|_, rule| rule.is_object());
    for rule in rules.values_mut() {
        if rule["category"].is_null() {
            rule["category"] = json!("UserDefined");
        }
        rule["status"] = json!(state);
    }
    if let Some(storage) = storage {
        let name = storage.rsplit('/').next().unwrap_or_default();
        for target in ["blob", "file"] {
            rules.entry(format!("__SYS_PE_{name}_{target}")).or_insert_with(|| {
                json!({
                    "type": "PrivateEndpoint",
                    "category": "Required",
                    "status": state,
                    "destination": {"serviceResourceId": storage, "subresourceTarget": target, "sparkEnabled": false}
                })
            });
        }
    }
    rules
}

fn changeable(mode: &str) -> &'static [&'static str] {
    match mode {
        "AllowInternetOutbound" => &["AllowOnlyApprovedOutbound"],
        "AllowOnlyApprovedOutbound" => &["AllowInternetOutbound"],
        _ => &["AllowInternetOutbound", "AllowOnlyApprovedOutbound"],
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn without_a_network_the_recorded_form_is_read() {
        assert_eq!(
            settings(&Value::Null, None, false, None),
            json!({
                "changeableIsolationModes": ["AllowInternetOutbound", "AllowOnlyApprovedOutbound"],
                "isolationMode": "Disabled"
            })
        );
    }

    #[test]
    fn the_service_adds_required_rules_to_those_of_the_user() {
        let sent = json!({
            "isolationMode": "AllowOnlyApprovedOutbound",
            "outboundRules": {"pypi": {"type": "FQDN", "destination": "pypi.org"}}
        });
        let network = settings(&sent, None, false, Some("/x/storageaccounts/acc"));
        assert_eq!(network["outboundRules"]["pypi"]["category"], "UserDefined");
        assert_eq!(network["outboundRules"]["__SYS_PE_acc_blob"]["category"], "Required");
    }

    #[test]
    fn leaving_the_network_out_leaves_it_as_it_is() {
        let before = settings(&json!({"isolationMode": "AllowInternetOutbound"}), None, true, None);
        assert_eq!(settings(&Value::Null, Some(&before), false, None), before);
    }
}
