//! Error envelopes, versions, headers and throttling.

use arm_emulator::{Bucket, Config, Limits};
use serde_json::{Value, json};

use crate::session::{CLIENT, SUBSCRIPTION, Session, config, hub_body, workspace};

#[tokio::test]
async fn a_missing_workspace_is_told_by_the_gateway() {
    let session = Session::start().await;
    let reply = session.get(&workspace("hub")).await;
    assert_eq!(reply.status, 404);
    assert_eq!(reply.header("x-ms-failure-cause"), "gateway");
    assert_eq!(reply.code(), "ResourceNotFound");
    assert!(reply.message().starts_with(
        "The Resource 'Microsoft.MachineLearningServices/workspaces/hub' under resource group 'rg' was not found."
    ));
    assert_eq!(reply.body().as_object().unwrap().len(), 1);
}

#[tokio::test]
async fn a_missing_connection_is_told_by_the_service() {
    let session = Session::start().await;
    session.accepted(&workspace("hub"), hub_body()).await;
    let reply = session.get(&format!("{}/connections/missing", workspace("hub"))).await;
    assert_eq!(reply.status, 404);
    assert_eq!(reply.header("x-ms-response-type"), "error");
    assert!(reply.headers.get("x-ms-failure-cause").is_none());
    let mut body = reply.body();
    assert_eq!(body["correlation"]["operation"].as_str().unwrap().len(), 32);
    assert_eq!(body["correlation"]["request"].as_str().unwrap().len(), 16);
    assert!(body["time"].as_str().unwrap().ends_with("+00:00"));
    body["correlation"] = Value::Null;
    body["time"] = Value::Null;
    assert_eq!(
        body,
        json!({
            "error": {
                "code": "UserError",
                "severity": null,
                "message": "Connection missing can't be found in this workspace",
                "messageFormat": null,
                "messageParameters": null,
                "referenceCode": null,
                "detailsUri": null,
                "target": null,
                "details": [],
                "innerError": {"code": "NotFoundError", "innerError": null},
                "debugInfo": null,
                "additionalInfo": null
            },
            "correlation": null,
            "environment": "eastus",
            "location": "eastus",
            "time": null,
            "componentName": "account-rp",
            "statusCode": 404
        })
    );
}

#[tokio::test]
async fn versions_are_required_and_checked() {
    let session = Session::start().await;
    let hub = workspace("hub");
    let reply = session.get(&format!("{hub}?x=y")).await;
    assert_eq!((reply.status, reply.code().as_str()), (400, "MissingApiVersionParameter"));
    let reply = session.get(&format!("{hub}?api-version=2019-01-01")).await;
    assert_eq!((reply.status, reply.code().as_str()), (400, "NoRegisteredProviderFound"));
    let reply = session.get(&format!("{hub}?API-Version=2024-04-01-preview")).await;
    assert_eq!(reply.status, 404);
}

#[tokio::test]
async fn other_subscriptions_groups_and_providers_are_unknown() {
    let session = Session::with(Config { resource_groups: Some(vec!["known".to_owned()]), ..config() }).await;
    let reply = session.get(&workspace("hub").replace(SUBSCRIPTION, "other")).await;
    assert_eq!((reply.status, reply.code().as_str()), (404, "SubscriptionNotFound"));
    assert_eq!(session.get(&workspace("hub")).await.code(), "ResourceGroupNotFound");
    assert_eq!(session.get(&workspace("hub").replace("/rg/", "/KNOWN/")).await.code(), "ResourceNotFound");
    let other = format!("/subscriptions/{SUBSCRIPTION}/resourceGroups/known/providers/Microsoft.Nothing/things");
    assert_eq!(session.get(&other).await.code(), "InvalidResourceNamespace");
    assert_eq!(session.arm("POST", &workspace("hub").replace("/rg/", "/known/"), None).await.status, 405);
}

#[tokio::test]
async fn every_answer_has_its_ids_and_echoes_those_of_the_caller() {
    let session = Session::start().await;
    let url = format!("{}{}?api-version=2025-12-01", session.emulator.endpoint(), workspace("hub"));
    let request = session
        .http
        .get(url)
        .bearer_auth(&session.token)
        .header("x-ms-correlation-request-id", "correlation")
        .header("x-ms-client-request-id", "client");
    let reply = crate::session::reply(request).await;
    assert_eq!(reply.header("x-ms-correlation-request-id"), "correlation");
    assert_eq!(reply.header("x-ms-client-request-id"), "client");
    assert!(reply.header("x-ms-routing-request-id").ends_with(":correlation"));
    assert_eq!(reply.header("x-ms-request-id").len(), 36);
    let entry = session.emulator.journal().pop().unwrap();
    assert_eq!(entry.correlation_id.as_deref(), Some("correlation"));
    assert_eq!(entry.client_id.as_deref(), Some(CLIENT));
    assert_eq!(entry.error_code.as_deref(), Some("ResourceNotFound"));
}

#[tokio::test]
async fn the_remaining_requests_are_told_and_past_them_is_429() {
    let writes = Bucket { capacity: 1, refill_per_second: 0.01 };
    let session = Session::with(Config { limits: Limits { writes, ..Limits::default() }, ..config() }).await;
    let first = session.get(&workspace("hub")).await;
    assert_eq!(first.header("x-ms-ratelimit-remaining-subscription-reads"), "249");
    assert_eq!(first.header("x-ms-ratelimit-remaining-subscription-global-reads"), "3749");
    let write = session.put(&workspace("hub"), hub_body()).await;
    assert_eq!(write.header("x-ms-ratelimit-remaining-subscription-writes"), "0");
    let refused = session.put(&workspace("hub"), hub_body()).await;
    assert_eq!((refused.status, refused.code().as_str()), (429, "SubscriptionRequestsThrottled"));
    assert!(refused.header("retry-after").parse::<u64>().unwrap() > 50);
    assert_eq!(session.get(&workspace("hub")).await.status, 200);
}
