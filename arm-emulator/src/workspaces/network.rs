//! The managed network of a workspace (ARM reference, section 3).

use serde_json::{Map, Value, json};

use crate::errors::ArmError;

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
    let active = provision_now || before.is_some_and(is_active);
    let spark = before.is_some_and(|before| before["status"]["sparkReady"] == true);
    network["status"] = json!({"status": if active { "Active" } else { "Inactive" }, "sparkReady": spark});
    let owned = before.and_then(|before| before["outboundRules"].as_object());
    network["outboundRules"] = Value::Object(rules(kept("outboundRules"), owned, active, storage));
    network
}

/// The rules after a write: those sent that are the user's own, and those of the service, which nobody else changes.
fn rules(
    sent: Option<Value>,
    before: Option<&Map<String, Value>>,
    active: bool,
    storage: Option<&str>,
) -> Map<String, Value> {
    let state = if active { "Active" } else { "Inactive" };
    let mut rules = match sent {
        Some(Value::Object(rules)) => rules,
        _ => Map::new(),
    };
    rules.retain(|_, rule| rule.is_object() && is_of_user(rule));
    for rule in rules.values_mut() {
        rule["category"] = json!("UserDefined");
    }
    for (name, rule) in before.into_iter().flatten().filter(|(_, rule)| !is_of_user(rule)) {
        rules.insert(name.clone(), rule.clone());
    }
    if let Some(storage) = storage {
        let name = storage.rsplit('/').next().unwrap_or_default();
        for target in ["blob", "file"] {
            rules.entry(format!("__SYS_PE_{name}_{target}")).or_insert_with(|| {
                json!({
                    "type": "PrivateEndpoint",
                    "category": "Required",
                    "destination": {"serviceResourceId": storage, "subresourceTarget": target, "sparkEnabled": false}
                })
            });
        }
    }
    for rule in rules.values_mut() {
        rule["status"] = json!(state);
    }
    rules
}

pub(super) fn is_active(network: &Value) -> bool {
    network["status"]["status"] == "Active"
}

/// Whether a rule is one that its user made, as all are that do not say otherwise.
pub(super) fn is_of_user(rule: &Value) -> bool {
    rule["category"].as_str().is_none_or(|category| category.eq_ignore_ascii_case("UserDefined"))
}

/// Sets the network up, and every rule of it.
pub(super) fn activate(network: &mut Value, spark: bool) {
    let spark = spark || network["status"]["sparkReady"] == true;
    network["status"] = json!({"status": "Active", "sparkReady": spark});
    for (_, rule) in network["outboundRules"].as_object_mut().into_iter().flatten() {
        rule["status"] = json!("Active");
    }
}

/// Refuses a rule whose destination is not of the form of its type (ARM reference, section 3).
pub(super) fn check_rule(name: &str, rule: &Value) -> Result<(), ArmError> {
    let wrong = |what: &str| Err(ArmError::validation(format!("The outbound rule '{name}' {what}."), &[]));
    let destination = &rule["destination"];
    let texts = |names: &[&str]| names.iter().all(|name| destination[name].as_str().is_some_and(|it| !it.is_empty()));
    let kind = rule["type"].as_str().unwrap_or_default().to_ascii_lowercase();
    match kind.as_str() {
        "fqdn" if destination.as_str().is_none_or(str::is_empty) => wrong("needs a host name as its destination"),
        "privateendpoint" if !texts(&["serviceResourceId", "subresourceTarget"]) => {
            wrong("needs a destination with serviceResourceId and subresourceTarget")
        }
        "servicetag" if !(texts(&["serviceTag"]) || destination["addressPrefixes"].is_array()) => {
            wrong("needs a destination with serviceTag")
        }
        "fqdn" | "privateendpoint" | "servicetag" => Ok(()),
        _ => wrong("has a type that is none of FQDN, PrivateEndpoint, ServiceTag"),
    }
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
