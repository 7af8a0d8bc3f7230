//! A hub's managed network: its settings are the hub's own, its rules are resources of their own, and it is set up when
//! somebody asks for it (ARM reference, sections 2 and 3).

use serde_json::{Value, json};

use crate::api::conditions::Reason;
use crate::api::network::{
    IsolationMode, ManagedNetwork, ManagedNetworkStatus, OutboundRule, OutboundRuleStatus, OutboundRuleType,
    PrivateEndpointDestination, ServiceTagDestination,
};
use crate::arm::ArmId;
use crate::arm::resource_type::OUTBOUND_RULE;
use crate::engine::{Provision, Unresolved, Wanted};

use super::workspace::{self, text};

/// The collection of a network's rules below its hub.
pub(super) const OUTBOUND_RULES: &str = "outboundRules";

/// Whether there is a network to speak of.
pub(super) fn is_on(network: &ManagedNetwork) -> bool {
    network.isolation_mode != IsolationMode::Disabled
}

/// The settings, without the rules.
pub(super) fn settings(network: &ManagedNetwork) -> Value {
    let mut settings = json!({"isolationMode": network.isolation_mode});
    if let Some(sku) = network.firewall_sku {
        settings["firewallSku"] = json!(sku);
    }
    settings
}

/// The rules, as members of the hub's set.
pub(super) fn rules(network: &ManagedNetwork, hub: &ArmId) -> Result<Vec<Wanted>, Unresolved> {
    let mut rules: Vec<Wanted> = Vec::new();
    for rule in &network.outbound_rules {
        let id = hub.child(OUTBOUND_RULES, &rule.name).map_err(|error| workspace::invalid(&error))?;
        if rules.iter().any(|other| other.id == id) {
            let message = format!("two outbound rules are called {}, letter case aside: rename one", rule.name);
            return Err(Unresolved::new(Reason::Refused, message));
        }
        rules.push(Wanted::new(id, &OUTBOUND_RULE, rule_body(rule)));
    }
    Ok(rules)
}

/// What has the network set up, where the spec asks for it now.
pub(super) fn provision(network: &ManagedNetwork) -> Option<Provision> {
    let spark = |rule: &OutboundRule| rule.private_endpoint.as_ref().and_then(|to| to.spark_enabled) == Some(true);
    let spark = network.outbound_rules.iter().any(spark);
    let mut done = vec![("/properties/managedNetwork/status/status", json!("Active"))];
    if spark {
        done.push(("/properties/managedNetwork/status/sparkReady", json!(true)));
    }
    network.provision_now.then(|| Provision {
        what: "the managed network",
        action: "provisionManagedNetwork",
        body: json!({"includeSpark": spark}),
        done,
    })
}

/// What is published of the network, once there is one. Rules that were not looked at this time stay as they were `before`.
pub(super) fn read(
    hub: &Value,
    rules: Option<&[Value]>,
    before: Option<ManagedNetworkStatus>,
) -> Option<ManagedNetworkStatus> {
    let network = &hub["properties"]["managedNetwork"];
    if matches!(network["isolationMode"].as_str(), None | Some("Disabled")) {
        return None;
    }
    let mut outbound_rules: Vec<OutboundRuleStatus> = match rules {
        Some(rules) => rules.iter().filter_map(read_rule).collect(),
        None => before.map(|before| before.outbound_rules).unwrap_or_default(),
    };
    outbound_rules.sort_by(|one, other| one.name.cmp(&other.name));
    outbound_rules.dedup_by(|one, other| one.name == other.name);
    Some(ManagedNetworkStatus {
        status: text(&network["status"]["status"]),
        spark_ready: network["status"]["sparkReady"].as_bool(),
        outbound_rules,
    })
}

fn read_rule(rule: &Value) -> Option<OutboundRuleStatus> {
    let properties = &rule["properties"];
    Some(OutboundRuleStatus {
        name: text(&rule["name"])?,
        type_: text(&properties["type"]),
        category: text(&properties["category"]),
        status: text(&properties["status"]),
    })
}

/// The managed fields of a rule. FACT: the destination has another form for each type (ARM reference, section 3).
fn rule_body(rule: &OutboundRule) -> Value {
    let mut properties = json!({"type": rule.type_, "category": "UserDefined"});
    match (rule.type_, &rule.fqdn, &rule.private_endpoint, &rule.service_tag) {
        (OutboundRuleType::Fqdn, Some(host), ..) => properties["destination"] = json!(host),
        (OutboundRuleType::PrivateEndpoint, _, Some(to), _) => {
            properties["destination"] = private_endpoint(to);
            if !to.fqdns.is_empty() {
                properties["fqdns"] = json!(to.fqdns);
            }
        }
        (OutboundRuleType::ServiceTag, .., Some(to)) => properties["destination"] = service_tag(to),
        // The API server refuses such a rule; Azure would too.
        _ => {}
    }
    json!({"properties": properties})
}

fn private_endpoint(to: &PrivateEndpointDestination) -> Value {
    let mut destination =
        json!({"serviceResourceId": to.service_resource_id, "subresourceTarget": to.subresource_target});
    if let Some(spark) = to.spark_enabled {
        destination["sparkEnabled"] = json!(spark);
    }
    destination
}

fn service_tag(to: &ServiceTagDestination) -> Value {
    let mut destination = json!({"protocol": to.protocol, "portRanges": to.port_ranges});
    if let Some(tag) = &to.tag {
        destination["serviceTag"] = json!(tag);
    }
    if let Some(action) = to.action {
        destination["action"] = json!(action);
    }
    if !to.address_prefixes.is_empty() {
        destination["addressPrefixes"] = json!(to.address_prefixes);
    }
    destination
}

#[cfg(test)]
mod tests {
    use super::*;

    fn network(network: Value) -> ManagedNetwork {
        serde_json::from_value(network).unwrap()
    }

    fn hub() -> ArmId {
        ArmId::workspace("00000001-0000-4000-8000-000000000001", "rg", "hub").unwrap()
    }

    fn bodies(of: &Value) -> Vec<Value> {
        let mode = json!({"isolationMode": "AllowOnlyApprovedOutbound", "outboundRules": of});
        rules(&network(mode), &hub()).unwrap().into_iter().map(|rule| rule.body["properties"].clone()).collect()
    }

    #[test]
    fn each_type_has_a_destination_of_its_own_form() {
        let registry = "/subscriptions/00000001-0000-4000-8000-000000000001/resourceGroups/rg/providers/Microsoft.ContainerRegistry/registries/cr";
        let bodies = bodies(&json!([
            {"name": "pypi", "type": "FQDN", "fqdn": "pypi.org"},
            {"name": "registry", "type": "PrivateEndpoint",
             "privateEndpoint": {"serviceResourceId": registry, "subresourceTarget": "registry", "fqdns": ["cr.local"]}},
            {"name": "monitor", "type": "ServiceTag",
             "serviceTag": {"tag": "AzureMonitor", "protocol": "TCP", "portRanges": "443", "action": "Allow"}},
        ]));
        assert_eq!(
            bodies,
            [
                json!({"type": "FQDN", "category": "UserDefined", "destination": "pypi.org"}),
                json!({"type": "PrivateEndpoint", "category": "UserDefined", "fqdns": ["cr.local"],
                    "destination": {"serviceResourceId": registry, "subresourceTarget": "registry"}}),
                json!({"type": "ServiceTag", "category": "UserDefined",
                    "destination": {"serviceTag": "AzureMonitor", "protocol": "TCP", "portRanges": "443", "action": "Allow"}}),
            ]
        );
    }

    #[test]
    fn two_rules_whose_names_azure_cannot_tell_apart_are_refused() {
        let of = |name: &str| json!({"name": name, "type": "FQDN", "fqdn": "pypi.org"});
        let twins = json!({"isolationMode": "AllowOnlyApprovedOutbound", "outboundRules": [of("pypi"), of("PyPI")]});
        assert_eq!(rules(&network(twins), &hub()).unwrap_err().reason, Reason::Refused);
    }

    #[test]
    fn a_network_is_set_up_for_spark_where_a_rule_is() {
        let rule = json!({"name": "blob", "type": "PrivateEndpoint",
            "privateEndpoint": {"serviceResourceId": "/x", "subresourceTarget": "blob", "sparkEnabled": true}});
        let asked = json!({"isolationMode": "AllowInternetOutbound", "provisionNow": true, "outboundRules": [rule]});
        let provision = provision(&network(asked)).unwrap();
        assert_eq!(provision.body, json!({"includeSpark": true}));
        let shown = |spark: bool| json!({"properties": {"managedNetwork": {"status": {"status": "Active", "sparkReady": spark}}}});
        assert!(provision.is_done(&shown(true)));
        assert!(!provision.is_done(&shown(false)));
    }

    #[test]
    fn a_network_that_nobody_asks_for_is_not_set_up() {
        assert_eq!(provision(&network(json!({"isolationMode": "AllowInternetOutbound"}))), None);
    }

    #[test]
    fn every_rule_is_told_in_the_order_of_names() {
        let hub = json!({"properties": {"managedNetwork": {"isolationMode": "AllowInternetOutbound", "status": {"status": "Inactive", "sparkReady": false}}}});
        let rule = |name: &str, category: &str| json!({"name": name, "properties": {"type": "FQDN", "category": category, "status": "Inactive"}});
        let read = read(&hub, Some(&[rule("pypi", "UserDefined"), rule("__SYS_a", "Required")]), None).unwrap();
        let told: Vec<_> =
            read.outbound_rules.iter().map(|rule| (rule.name.as_str(), rule.category.as_deref())).collect();
        assert_eq!(told, [("__SYS_a", Some("Required")), ("pypi", Some("UserDefined"))]);
        assert_eq!((read.status.as_deref(), read.spark_ready), (Some("Inactive"), Some(false)));
        assert_eq!(super::read(&hub, None, Some(read.clone())), Some(read), "rules that were not looked at");
    }
}
