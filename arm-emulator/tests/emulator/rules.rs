//! Outbound rules, and the provisioning of the network.

use std::time::Duration;

use arm_emulator::{ConflictScope, Timings};
use serde_json::{Value, json};

use crate::session::{Session, hub_body, project_body, workspace};

fn rule(name: &str) -> String {
    format!("{}/outboundRules/{name}", workspace("hub"))
}

fn host(host: &str) -> Value {
    json!({"properties": {"type": "FQDN", "destination": host}})
}

async fn with_network() -> Session {
    let session = Session::start().await;
    let mut body = hub_body();
    body["properties"]["managedNetwork"] = json!({"isolationMode": "AllowOnlyApprovedOutbound"});
    session.accepted(&workspace("hub"), body).await;
    session
}

#[tokio::test]
async fn a_rule_is_a_resource_and_stands_in_the_hub() {
    let session = with_network().await;
    let reply = session.put(&rule("pypi"), host("pypi.org")).await;
    assert_eq!((reply.status, reply.text.as_str()), (202, ""));
    let location = session.url("GET", reply.header("location"), None).await;
    assert_eq!((location.status, &location.body()["name"]), (200, &json!("pypi")));
    let read = session.get(&rule("PyPI")).await.body();
    assert_eq!(read["id"], rule("pypi"));
    assert_eq!(read["type"], "Microsoft.MachineLearningServices/workspaces/outboundRules");
    assert_eq!(
        read["properties"],
        json!({"type": "FQDN", "destination": "pypi.org", "category": "UserDefined", "status": "Inactive"})
    );
    let hub = session.get(&workspace("hub")).await.body();
    assert_eq!(hub["properties"]["managedNetwork"]["outboundRules"]["pypi"], read["properties"]);
    let list = session.get(&format!("{}/outboundRules", workspace("hub"))).await.body();
    // The user's rule, and one for each service of the storage account.
    assert_eq!(list["value"].as_array().unwrap().len(), 3);

    assert_eq!(session.arm("DELETE", &rule("pypi"), None).await.status, 202);
    let gone = session.get(&rule("pypi")).await;
    assert_eq!((gone.status, &gone.body()["error"]["innerError"]["code"]), (404, &json!("NotFoundError")));
    assert_eq!(session.arm("DELETE", &rule("pypi"), None).await.status, 204);
}

#[tokio::test]
async fn provisioning_makes_the_network_and_its_rules_active() {
    let session = with_network().await;
    session.put(&rule("pypi"), host("pypi.org")).await;
    let path = format!("{}/provisionManagedNetwork", workspace("hub"));
    let reply = session.arm("POST", &path, Some(json!({"includeSpark": true}))).await;
    assert_eq!(reply.status, 202);
    let status = session.url("GET", reply.header("location"), None).await.body();
    assert_eq!(status, json!({"status": "Active", "sparkReady": true}));
    let network = session.get(&workspace("hub")).await.body()["properties"]["managedNetwork"].clone();
    for (_, rule) in network["outboundRules"].as_object().unwrap() {
        assert_eq!(rule["status"], "Active");
    }
    session.emulator.set_timings(Timings::all(Duration::from_mins(1)));
    session.put(&rule("conda"), host("conda.io")).await;
    assert_eq!(session.get(&rule("conda")).await.body()["properties"]["status"], "Provisioning");
}

#[tokio::test]
async fn rules_of_the_service_stay_as_they_are() {
    let session = with_network().await;
    let required = rule("__SYS_PE_store_blob");
    assert_eq!(session.get(&required).await.body()["properties"]["category"], "Required");
    assert_eq!(session.arm("DELETE", &required, None).await.status, 400);
    let mut body = hub_body();
    body["properties"]["managedNetwork"] = json!({"isolationMode": "AllowOnlyApprovedOutbound", "outboundRules": {
        "__SYS_PE_store_blob": {"type": "FQDN", "destination": "stolen"}}});
    session.accepted(&workspace("hub"), body).await;
    assert_eq!(session.get(&required).await.body()["properties"]["type"], "PrivateEndpoint");
    let mut body = host("pypi.org");
    body["properties"]["category"] = json!("Required");
    assert_eq!(session.put(&rule("pypi"), body).await.code(), "ValidationError");
}

#[tokio::test]
async fn a_rule_needs_a_network_and_the_form_of_its_type() {
    let session = with_network().await;
    for wrong in [
        json!({"type": "FQDN", "destination": {"serviceTag": "x"}}),
        json!({"type": "ServiceTag", "destination": "x"}),
        json!({"type": "PrivateEndpoint", "destination": {"serviceResourceId": "/x"}}),
        json!({"type": "Other", "destination": "x"}),
    ] {
        let reply = session.put(&rule("wrong"), json!({"properties": wrong})).await;
        assert_eq!((reply.status, reply.code().as_str()), (400, "ValidationError"), "{}", reply.text);
    }
    session.accepted(&workspace("plain"), hub_body()).await;
    session.accepted(&workspace("project"), project_body(&workspace("hub"))).await;
    for name in ["plain", "project"] {
        let id = format!("{}/outboundRules/pypi", workspace(name));
        assert_eq!(session.put(&id, host("pypi.org")).await.status, 400);
        let path = format!("{}/provisionManagedNetwork", workspace(name));
        assert_eq!(session.arm("POST", &path, None).await.status, 400);
    }
    let id = format!("{}/outboundRules/pypi", workspace("none"));
    assert_eq!(session.put(&id, host("pypi.org")).await.code(), "ParentResourceNotFound");
}

#[tokio::test]
async fn writes_in_parallel_are_refused_in_either_scope() {
    for conflict_scope in [ConflictScope::Hub, ConflictScope::Workspace] {
        let session = with_network().await;
        let settings = arm_emulator::Settings { conflict_scope, ..session.emulator.settings() };
        session.emulator.set_settings(settings);
        session.emulator.set_timings(Timings::all(Duration::from_mins(1)));
        session.accepted(&rule("one-rule"), host("a.example")).await;
        assert_eq!(session.put(&rule("two-rule"), host("b.example")).await.status, 409);
        assert_eq!(session.put(&workspace("hub"), hub_body()).await.status, 409);
        assert_eq!(session.arm("DELETE", &rule("one-rule"), None).await.status, 409);
    }
}

#[tokio::test]
async fn rules_drift_and_fail_by_hand() {
    let session = with_network().await;
    let by_hand = &session.emulator;
    by_hand.put_resource(&rule("pypi"), &host("pypi.org")).unwrap();
    by_hand.patch_resource(&rule("pypi"), &json!({"properties": {"destination": "other.org"}})).unwrap();
    assert_eq!(session.get(&rule("pypi")).await.body()["properties"]["destination"], "other.org");
    by_hand.remove_resource(&rule("pypi")).unwrap();
    assert!(by_hand.remove_resource(&rule("pypi")).is_err());
    let fault = json!({"path": "outboundRules", "count": 1, "fault": {"operation": "Failed"}});
    session.control("POST", "faults", Some(fault)).await;
    session.accepted(&rule("pypi"), host("pypi.org")).await;
    assert_eq!(session.get(&rule("pypi")).await.body()["properties"]["status"], "Failed");
}
