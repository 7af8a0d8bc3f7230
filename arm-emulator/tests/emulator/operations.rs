//! Long-running operations.

use std::time::Duration;

use arm_emulator::{ConflictScope, Outcome, PlannedFailure, Settings, Timings};
use serde_json::json;

use crate::session::{Session, config, hub_body, project_body, workspace};

async fn slow() -> Session {
    let session = Session::start().await;
    session.emulator.set_timings(Timings::all(Duration::from_mins(10)));
    session
}

fn failure(method: &str, path: &str) -> PlannedFailure {
    PlannedFailure {
        method: method.to_owned(),
        path: path.to_owned(),
        outcome: Outcome::Failed,
        status: None,
        code: "QuotaExceeded".to_owned(),
        message: "No more".to_owned(),
    }
}

#[tokio::test]
async fn a_write_is_accepted_with_two_long_urls_and_no_retry_after() {
    let session = slow().await;
    let reply = session.put(&workspace("hub"), hub_body()).await;
    assert_eq!((reply.status, reply.text.as_str()), (202, ""));
    assert_eq!(reply.header("content-length"), "0");
    assert!(reply.headers.get("retry-after").is_none());
    for (header, kind) in [("azure-asyncoperation", "async"), ("location", "location")] {
        let url = reply.header(header);
        assert!((3000..4500).contains(&url.len()), "{}", url.len());
        assert!(url.contains("/locations/eastus/workspaceOperationsStatus/"));
        assert!(url.contains(&format!("?api-version=2025-12-01&type={kind}&t=")));
    }
}

#[tokio::test]
async fn the_signature_must_come_back_to_the_letter() {
    let session = slow().await;
    let reply = session.put(&workspace("hub"), hub_body()).await;
    let url = reply.header("azure-asyncoperation");
    let (path, query) = url.split_once('?').unwrap();
    let last = url.chars().last().unwrap();
    let forged = format!("{}{}", &url[..url.len() - 1], if last == 'A' { 'B' } else { 'A' });
    let reordered = query.split('&').rev().collect::<Vec<_>>().join("&");
    for changed in [forged, format!("{path}?api-version=2025-12-01"), format!("{path}?{reordered}")] {
        assert_eq!(session.url("GET", &changed, None).await.status, 403);
    }
    assert_eq!(session.url("GET", url, None).await.body(), json!({"status": "InProgress"}));
}

#[tokio::test]
async fn both_urls_follow_the_clock() {
    let session = Session::start().await;
    session.emulator.set_timings(Timings::all(Duration::from_millis(1500)));
    let hub = workspace("hub");
    let reply = session.put(&hub, hub_body()).await;
    let (status, location) = (reply.header("azure-asyncoperation"), reply.header("location"));
    assert_eq!(session.url("GET", location, None).await.status, 202);
    assert_eq!(session.get(&hub).await.body()["properties"]["provisioningState"], "Creating");
    assert!(session.get(&format!("{hub}/datastores")).await.body()["value"].as_array().unwrap().is_empty());
    tokio::time::sleep(Duration::from_millis(1600)).await;
    let done = session.url("GET", status, None).await;
    assert_eq!(done.body(), json!({"status": "Succeeded", "percentComplete": 100.0}));
    assert!(done.text.contains("100.0"));
    assert_eq!(session.url("GET", location, None).await.status, 200);
    assert_eq!(session.get(&hub).await.body()["properties"]["provisioningState"], "Succeeded");
}

#[tokio::test]
async fn a_delete_ends_with_an_empty_200_at_its_location() {
    let session = Session::start().await;
    let hub = workspace("hub");
    session.accepted(&hub, hub_body()).await;
    session.emulator.set_timings(Timings::all(Duration::from_secs(1)));
    let reply = session.arm("DELETE", &format!("{hub}?api-version=2025-12-01&forceToPurge=false"), None).await;
    assert_eq!(session.get(&hub).await.body()["properties"]["provisioningState"], "Deleting");
    tokio::time::sleep(Duration::from_millis(1100)).await;
    let done = session.url("GET", reply.header("location"), None).await;
    assert_eq!((done.status, done.text.as_str()), (200, ""));
    assert_eq!(session.get(&hub).await.code(), "ResourceNotFound");
}

#[tokio::test]
async fn a_second_write_conflicts_while_an_operation_runs() {
    let session = Session::start().await;
    let (hub, project) = session.hub_and_project().await;
    session.emulator.set_timings(Timings::all(Duration::from_mins(10)));
    session.accepted(&hub, hub_body()).await;
    let connection = json!({"properties": {"authType": "None", "category": "Git", "target": "t"}});
    for reply in [
        session.put(&hub, hub_body()).await,
        session.arm("PATCH", &hub, Some(json!({"tags": {}}))).await,
        session.put(&project, project_body(&hub)).await,
        session.arm("DELETE", &project, None).await,
        session.put(&format!("{hub}/connections/git"), connection).await,
    ] {
        assert_eq!((reply.status, reply.code().as_str()), (409, "Conflict"), "{}", reply.text);
        assert!(reply.message().contains("Another operation is being performed on the parent resource"));
    }
}

#[tokio::test]
async fn siblings_conflict_unless_told_otherwise() {
    let session = Session::start().await;
    let (hub, project) = session.hub_and_project().await;
    session.emulator.set_timings(Timings::all(Duration::from_mins(10)));
    session.accepted(&project, project_body(&hub)).await;
    let sibling = workspace("sibling");
    assert_eq!(session.put(&sibling, project_body(&hub)).await.status, 409);
    let settings = Settings { conflict_scope: ConflictScope::Workspace, ..session.emulator.settings() };
    session.emulator.set_settings(settings);
    session.accepted(&sibling, project_body(&hub)).await;
    assert_eq!(session.put(&project, project_body(&hub)).await.status, 409);
}

#[tokio::test]
async fn a_hub_whose_last_project_is_still_going_cannot_be_deleted() {
    let session = Session::start().await;
    let (hub, project) = session.hub_and_project().await;
    session.emulator.set_timings(Timings::all(Duration::from_mins(10)));
    assert_eq!(session.arm("DELETE", &project, None).await.status, 202);
    let reply = session.arm("DELETE", &hub, None).await;
    assert_eq!((reply.status, reply.message().as_str()), (400, "AI hub still has associated AI projects"));
}

#[tokio::test]
async fn a_changed_storage_account_is_accepted_and_then_fails() {
    let session = Session::start().await;
    let hub = workspace("hub");
    session.accepted(&hub, hub_body()).await;
    let mut body = hub_body();
    body["properties"]["storageAccount"] = json!("/subscriptions/s/resourceGroups/r/providers/x/y/other");
    let reply = session.put(&hub, body).await;
    assert_eq!(reply.status, 202);
    let status = session.url("GET", reply.header("azure-asyncoperation"), None).await.body();
    assert_eq!(
        status,
        json!({
            "status": "Failed",
            "error": {"code": "BadRequest", "message": "Storage Account update is not supported yet"}
        })
    );
    let read = session.get(&hub).await.body();
    assert_eq!(read["properties"]["provisioningState"], "Failed");
    assert!(read["properties"]["storageAccount"].as_str().unwrap().ends_with("/store"));
}

#[tokio::test]
async fn a_planned_failure_meets_the_next_matching_operation_alone() {
    let session = Session::start().await;
    let hub = workspace("hub");
    session.emulator.fail_next(PlannedFailure { outcome: Outcome::Canceled, ..failure("PUT", "workspaces/HUB") });
    session.accepted(&workspace("other"), hub_body()).await;
    assert_eq!(session.get(&workspace("other")).await.body()["properties"]["provisioningState"], "Succeeded");
    let reply = session.put(&hub, hub_body()).await;
    let status = session.url("GET", reply.header("azure-asyncoperation"), None).await.body();
    assert_eq!(status, json!({"status": "Canceled", "error": {"code": "QuotaExceeded", "message": "No more"}}));
    session.accepted(&hub, hub_body()).await;
    assert_eq!(session.get(&hub).await.body()["properties"]["provisioningState"], "Succeeded");
}

#[tokio::test]
async fn a_creation_that_fails_has_datastores_once_it_is_repeated() {
    let session = Session::with(config()).await;
    let hub = workspace("hub");
    session.emulator.fail_next(failure("PUT", "hub"));
    session.accepted(&hub, hub_body()).await;
    assert_eq!(session.get(&hub).await.body()["properties"]["provisioningState"], "Failed");
    session.accepted(&hub, hub_body()).await;
    assert_eq!(session.get(&format!("{hub}/datastores")).await.body()["value"].as_array().unwrap().len(), 4);
}

#[tokio::test]
async fn a_planned_refusal_answers_at_once() {
    let session = Session::start().await;
    session.emulator.fail_next(PlannedFailure { status: Some(502), ..failure("PUT", "hub") });
    let reply = session.put(&workspace("hub"), hub_body()).await;
    assert_eq!((reply.status, reply.code().as_str()), (502, "QuotaExceeded"));
    session.accepted(&workspace("hub"), hub_body()).await;
}

#[tokio::test]
async fn operations_can_end_at_a_poll_instead_of_by_the_clock() {
    let session = Session::start().await;
    session.control("PATCH", "settings", Some(json!({"pollsToEnd": 2}))).await;
    let reply = session.put(&workspace("hub"), hub_body()).await;
    let status = async || session.url("GET", reply.header("azure-asyncoperation"), None).await.body()["status"].clone();
    let polls = [status().await, status().await, status().await];
    assert_eq!(polls, ["InProgress", "Succeeded", "Succeeded"]);
    let settings = session.control("PATCH", "settings", Some(json!({"pollsToEnd": 0}))).await.body();
    assert!(settings["pollsToEnd"].is_null(), "{settings}");
}
