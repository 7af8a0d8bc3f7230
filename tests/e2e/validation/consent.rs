//! Rules of a hub's `allowedProjects`.

use serde_json::{Value, json};

use super::{Desk, Kind, at, quoted};

const HUB: Kind = Kind::Hub;

fn selected_by(selector: &Value) -> Value {
    HUB.but(json!({"allowedProjects": {"namespaces": {"from": "Selector", "selector": selector}}}))
}

#[tokio::test]
async fn every_kind_of_consent_passes() {
    let desk = Desk::new().await;
    for from in ["Same", "All"] {
        desk.accepts(HUB, HUB.but(at("allowedProjects.namespaces.from", from))).await;
    }
    for adoption in ["Forbidden", "Allowed"] {
        let spec = desk.accepts(HUB, HUB.but(at("allowedProjects.adoption", adoption))).await;
        assert_eq!(spec["allowedProjects"]["adoption"], adoption);
    }
    for selector in [
        json!({}),
        json!({"matchLabels": {"foundry": "allowed"}}),
        json!({"matchExpressions": []}),
        json!({"matchLabels": {"a": "b"}, "matchExpressions": [
            {"key": "team", "operator": "In", "values": ["churn", "fraud"]},
            {"key": "stage", "operator": "NotIn", "values": ["test"]},
            {"key": "foundry", "operator": "Exists"},
            {"key": "foundry", "operator": "Exists", "values": []},
            {"key": "closed", "operator": "DoesNotExist"},
        ]}),
    ] {
        let spec = desk.accepts(HUB, selected_by(&selector)).await;
        assert_eq!(spec["allowedProjects"]["namespaces"]["selector"], selector);
    }
}

#[tokio::test]
async fn a_selector_goes_with_from_selector_only() {
    let desk = Desk::new().await;
    let says = "give a selector where from is Selector, and none where it is Same or All";
    for namespaces in [
        json!({"from": "Selector"}),
        json!({"from": "Same", "selector": {"matchLabels": {"a": "b"}}}),
        json!({"from": "All", "selector": {}}),
        json!({"selector": {"matchLabels": {"a": "b"}}}),
    ] {
        let spec = HUB.but(json!({"allowedProjects": {"namespaces": namespaces}}));
        desk.refuses(HUB, spec, "spec.allowedProjects.namespaces", says).await;
    }
}

#[tokio::test]
async fn a_selector_that_could_match_nothing_is_refused() {
    let desk = Desk::new().await;
    let says = "the operator of a matchExpression must be In or NotIn with values, or Exists or DoesNotExist without";
    for expression in [
        json!({"key": "team", "operator": "Equals", "values": ["churn"]}),
        json!({"key": "team", "operator": "in", "values": ["churn"]}),
        json!({"key": "team", "operator": "In"}),
        json!({"key": "team", "operator": "NotIn", "values": []}),
        json!({"key": "team", "operator": "Exists", "values": ["churn"]}),
        json!({"key": "team", "operator": "DoesNotExist", "values": ["churn"]}),
    ] {
        let good = json!({"key": "team", "operator": "Exists"});
        let spec = selected_by(&json!({"matchExpressions": [good, expression]}));
        desk.refuses(HUB, spec, "spec.allowedProjects.namespaces", says).await;
    }
    for (expression, missing) in [(json!({"key": "team"}), "operator"), (json!({"operator": "Exists"}), "key")] {
        let field = format!("spec.allowedProjects.namespaces.selector.matchExpressions[0].{missing}");
        let spec = selected_by(&json!({"matchExpressions": [expression]}));
        desk.refuses(HUB, spec, &field, "Required value").await;
    }
}

#[tokio::test]
async fn an_unknown_kind_of_consent_is_refused_with_those_that_there_are() {
    let desk = Desk::new().await;
    for (field, values) in [
        ("allowedProjects.namespaces.from", &["Same", "Selector", "All"][..]),
        ("allowedProjects.adoption", &["Forbidden", "Allowed"]),
    ] {
        let says = format!("supported values: {}", quoted(values));
        for unknown in ["Nonsense", "", "all"] {
            let spec = HUB.but(at(field, unknown));
            desk.refuses(HUB, spec, &format!("spec.{field}"), &says).await;
        }
    }
}
