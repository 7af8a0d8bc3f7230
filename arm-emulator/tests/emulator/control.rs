//! The control API: journal, drift, settings.

use serde_json::{Value, json};

use crate::session::{CLIENT, SECRET, Session, hub_body, project_body, workspace};

fn connection() -> String {
    format!("{}/connections/keyed", workspace("hub"))
}

fn keyed(key: &str) -> Value {
    json!({"properties": {"authType": "CustomKeys", "category": "CustomKeys", "target": "t",
        "metadata": {"note": "kept"}, "credentials": {"keys": {"first": key}}}})
}

#[tokio::test]
async fn the_journal_has_every_request_and_no_secret() {
    let session = Session::start().await;
    session.accepted(&workspace("hub"), hub_body()).await;
    session.put(&connection(), keyed("s3cr3t")).await;
    session.arm("PATCH", &connection(), Some(json!({"properties": {"credentials": {"keys": {"x": "s3cr3t"}}}}))).await;
    session.arm("POST", &format!("{}/listsecrets", connection()), None).await;
    let reply = session.control("GET", "journal", None).await;
    for secret in ["s3cr3t", SECRET, session.token.as_str(), "a+client+secret"] {
        assert!(!reply.text.contains(secret), "{secret}");
    }
    let entries = reply.body();
    let seen: Vec<_> =
        entries.as_array().unwrap().iter().map(|it| (it["method"].clone(), it["status"].clone())).collect();
    let expected = [("POST", 200), ("PUT", 202), ("PUT", 200), ("PATCH", 200), ("POST", 200)];
    assert_eq!(seen, expected.map(|(method, status)| (json!(method), json!(status))));
    assert_eq!(entries[0]["requestBody"]["client_secret"], "***");
    assert_eq!(entries[0]["clientId"], CLIENT);
    assert_eq!(entries[2]["requestBody"]["properties"]["credentials"]["keys"]["first"], "***");
    assert_eq!(entries[2]["requestBody"]["properties"]["metadata"]["note"], "kept");
    assert!(entries[1]["durationMs"].is_number() && entries[1]["time"].is_string());

    let filtered = session.control("GET", "journal?method=put&path=CONNECTIONS", None).await.body();
    assert_eq!(filtered.as_array().unwrap().len(), 1);
    assert_eq!(session.control("DELETE", "journal", None).await.status, 204);
    assert_eq!(session.control("GET", "journal", None).await.body(), json!([]));
}

#[tokio::test]
async fn polls_are_journaled_without_their_signature() {
    let session = Session::start().await;
    let reply = session.put(&workspace("hub"), hub_body()).await;
    session.url("GET", reply.header("azure-asyncoperation"), None).await;
    let entry = session.emulator.journal_matching("GET", "workspaceOperationsStatus").pop().unwrap();
    assert_eq!(entry.query, "api-version=2025-12-01&type=async");
}

#[tokio::test]
async fn drift_is_made_by_a_merge_patch() {
    let session = Session::start().await;
    let (hub, project) = session.hub_and_project().await;
    let change = json!({"tags": {"x": "y", "team": null}, "properties": {"friendlyName": "by hand"}, "name": "other"});
    let reply = session.control("PATCH", &format!("resources{hub}"), Some(change)).await;
    assert_eq!(reply.status, 200, "{}", reply.text);
    let read = session.get(&hub).await.body();
    assert_eq!(read["properties"]["friendlyName"], "by hand");
    assert_eq!(read["tags"]["x"], "y");
    assert!(read["tags"].get("team").is_none());
    assert_eq!(read["name"], "hub");

    assert_eq!(session.control("DELETE", &format!("resources{project}"), None).await.status, 204);
    assert_eq!(session.get(&project).await.status, 404);
    assert_eq!(session.control("DELETE", &format!("resources{project}"), None).await.status, 404);
    assert_eq!(session.control("GET", "resources/nonsense", None).await.status, 404);
}

#[tokio::test]
async fn resources_can_be_put_there_by_hand() {
    let session = Session::start().await;
    let hub = workspace("hub");
    let reply = session.control("PUT", &format!("resources{hub}"), Some(hub_body())).await;
    assert_eq!(reply.status, 200, "{}", reply.text);
    assert_eq!(session.get(&hub).await.body()["properties"]["provisioningState"], "Succeeded");
    assert_eq!(session.get(&format!("{hub}/datastores")).await.body()["value"].as_array().unwrap().len(), 4);
    let datastore = format!("{hub}/datastores/mine");
    let body = json!({"properties": {"datastoreType": "AzureBlob", "containerName": "c"}});
    session.emulator.put_resource(&datastore, &body).unwrap();
    assert_eq!(session.get(&datastore).await.body()["properties"]["containerName"], "c");
    assert!(session.emulator.put_resource(&connection(), &json!({"properties": {}})).is_err());
    session.emulator.put_resource(&connection(), &keyed("s3cr3t")).unwrap();
    assert!(session.emulator.put_resource(&format!("{}/connections/c01", workspace("no")), &keyed("k")).is_err());
}

#[tokio::test]
async fn secrets_stand_behind_their_own_path_and_can_drift() {
    let session = Session::start().await;
    session.accepted(&workspace("hub"), hub_body()).await;
    session.put(&connection(), keyed("s3cr3t")).await;
    assert!(!format!("{:?}", session.emulator).contains("s3cr3t"));
    assert!(!session.control("GET", "resources", None).await.text.contains("s3cr3t"));
    let shown = session.control("GET", &format!("secrets{}", connection()), None).await;
    assert_eq!(shown.body(), json!({"keys": {"first": "s3cr3t"}}));
    let drift = json!({"properties": {"credentials": {"keys": {"first": "drifted"}}}});
    let patched = session.emulator.patch_resource(&connection(), &drift).unwrap();
    assert!(!patched.to_string().contains("drifted"));
    assert_eq!(session.emulator.connection_credentials(&connection()), Some(json!({"keys": {"first": "drifted"}})));
}

#[tokio::test]
async fn settings_change_while_it_runs() {
    let session = Session::start().await;
    let change = json!({"timings": {"create": 600.0}, "containerNaming": "dashed-blobstore", "pageSize": 7});
    let reply = session.control("PATCH", "settings", Some(change)).await;
    assert_eq!(reply.status, 200, "{}", reply.text);
    let read = session.control("GET", "settings", None).await.body();
    assert_eq!(read["timings"], json!({"create": 600.0, "update": 0.0, "delete": 0.0, "provision": 0.0}));
    assert_eq!(read["containerNaming"], "dashed-blobstore");
    assert_eq!(read["datastoresAppear"], true);
    session.accepted(&workspace("hub"), hub_body()).await;
    assert_eq!(session.get(&workspace("hub")).await.body()["properties"]["provisioningState"], "Creating");
    assert_eq!(session.control("PATCH", "settings", Some(json!({"unknown": 1}))).await.status, 400);
}

#[tokio::test]
async fn a_failure_is_planned_over_http() {
    let session = Session::start().await;
    let plan = json!({"method": "PUT", "path": "workspaces/hub", "outcome": "Failed", "code": "C", "message": "M"});
    assert_eq!(session.control("POST", "operations/fail-next", Some(plan)).await.status, 204);
    let reply = session.put(&workspace("hub"), hub_body()).await;
    let status = session.url("GET", reply.header("azure-asyncoperation"), None).await.body();
    assert_eq!(status, json!({"status": "Failed", "error": {"code": "C", "message": "M"}}));
}

#[tokio::test]
async fn it_tells_that_it_is_well_and_what_it_lacks() {
    let session = Session::start().await;
    assert_eq!(session.control("GET", "healthz", None).await.body(), json!({"status": "ok"}));
    assert_eq!(session.control("GET", "nothing", None).await.status, 404);
}

#[tokio::test]
async fn a_stopped_emulator_does_not_answer() {
    let session = Session::start().await;
    let url = format!("{}/_emulator/healthz", session.emulator.endpoint());
    let other = Session::start().await;
    session.accepted(&workspace("hub"), hub_body()).await;
    assert_eq!(other.put(&workspace("project"), project_body(&workspace("hub"))).await.status, 400);
    session.emulator.stop().await;
    assert!(session.http.get(url).send().await.is_err());
    drop(other);
}
