//! Connections and their secrets.

use serde_json::{Value, json};

use crate::session::{Session, hub_body, workspace};

fn open_ai() -> Value {
    json!({"properties": {
        "authType": "ApiKey",
        "category": "AzureOpenAi",
        "isSharedToAll": true,
        "metadata": {"hello": "world", "ApiVersion": "1.0", "ApiType": "Azure"},
        "target": "dummy",
        "credentials": {"key": "s3cr3t"}
    }})
}

async fn hub() -> (Session, String) {
    let session = Session::start().await;
    session.accepted(&workspace("hub"), hub_body()).await;
    let connection = format!("{}/connections/open-ai", workspace("hub"));
    (session, connection)
}

#[tokio::test]
async fn a_put_is_answered_as_recorded() {
    let (session, connection) = hub().await;
    for _ in 0..2 {
        let reply = session.put(&connection, open_ai()).await;
        assert_eq!(reply.status, 200);
        let mut body = reply.body();
        assert!(body["systemData"].take().is_object());
        assert_eq!(
            body,
            json!({
                "tags": null,
                "location": null,
                "id": connection,
                "name": "open-ai",
                "type": "Microsoft.MachineLearningServices/workspaces/connections",
                "properties": {
                    "authType": "ApiKey",
                    "credentials": null,
                    "group": "AzureAI",
                    "category": "AzureOpenAI",
                    "expiryTime": null,
                    "target": "dummy",
                    "createdByWorkspaceArmId": workspace("hub"),
                    "useWorkspaceManagedIdentity": false,
                    "isSharedToAll": true,
                    "sharedUserList": [],
                    "peRequirement": "NotRequired",
                    "peStatus": "NotApplicable",
                    "error": null,
                    "isDefault": true,
                    "metadata": {
                        "hello": "world",
                        "ApiVersion": "1.0",
                        "ApiType": "Azure",
                        "DeploymentApiVersion": "2023-10-01-preview"
                    }
                },
                "systemData": null
            })
        );
    }
}

#[tokio::test]
async fn secrets_are_shown_by_listsecrets_alone() {
    let (session, connection) = hub().await;
    session.put(&connection, open_ai()).await;
    let read = session.get(&connection).await;
    let list = session.get(&format!("{}/connections", workspace("hub"))).await;
    assert!(!read.text.contains("s3cr3t") && !list.text.contains("s3cr3t"));
    let secrets = session.arm("POST", &format!("{connection}/listsecrets"), None).await;
    assert_eq!(secrets.body()["properties"]["credentials"], json!({"key": "s3cr3t"}));
    assert_eq!(session.emulator.connection_credentials(&connection), Some(json!({"key": "s3cr3t"})));
}

#[tokio::test]
async fn without_keys_there_is_no_credentials_field() {
    let (session, connection) = hub().await;
    for auth_type in ["AAD", "None"] {
        let body = json!({"properties": {"authType": auth_type, "category": "AIServices", "target": "t"}});
        let reply = session.put(&connection, body).await;
        assert_eq!(reply.status, 200, "{}", reply.text);
        assert!(reply.body()["properties"].get("credentials").is_none());
    }
    assert_eq!(session.emulator.connection_credentials(&connection), None);
}

#[tokio::test]
async fn credentials_that_do_not_fit_are_refused_without_being_told() {
    let (session, connection) = hub().await;
    for properties in [
        json!({"authType": "CustomKeys", "category": "CustomKeys", "credentials": {"name": "s3cr3t"}}),
        json!({"authType": "PAT", "category": "Git", "credentials": {"key": "s3cr3t"}}),
        json!({"authType": "AAD", "category": "AIServices", "credentials": {"key": "s3cr3t"}}),
        json!({"authType": "OAuth2", "category": "Git", "credentials": {"clientId": "s3cr3t"}}),
        json!({"authType": "Magic", "category": "Git", "credentials": {"key": "s3cr3t"}}),
        json!({"authType": "ApiKey", "credentials": {"key": "s3cr3t"}}),
    ] {
        let reply = session.put(&connection, json!({"properties": properties})).await;
        assert_eq!(reply.status, 400, "{}", reply.text);
        assert!(!reply.text.contains("s3cr3t"));
    }
}

#[tokio::test]
async fn a_patch_changes_what_it_names() {
    let (session, connection) = hub().await;
    session.put(&connection, open_ai()).await;
    let change = json!({"properties": {"authType": "ApiKey", "target": "other"}});
    let reply = session.arm("PATCH", &connection, Some(change)).await;
    assert_eq!(reply.status, 200);
    assert_eq!(reply.body()["properties"]["target"], "other");
    assert_eq!(reply.body()["properties"]["metadata"]["hello"], "world");
    assert_eq!(session.emulator.connection_credentials(&connection), Some(json!({"key": "s3cr3t"})));
    let rotated = json!({"properties": {"credentials": {"key": "n3w"}}});
    assert_eq!(session.arm("PATCH", &connection, Some(rotated)).await.status, 200);
    assert_eq!(session.emulator.connection_credentials(&connection), Some(json!({"key": "n3w"})));
}

#[tokio::test]
async fn a_delete_is_200_and_then_204() {
    let (session, connection) = hub().await;
    session.put(&connection, open_ai()).await;
    let reply = session.arm("DELETE", &connection, None).await;
    assert_eq!((reply.status, reply.text.as_str()), (200, ""));
    assert_eq!(reply.header("content-length"), "0");
    assert_eq!(session.arm("DELETE", &connection, None).await.status, 204);
    assert_eq!(session.get(&connection).await.status, 404);
}

#[tokio::test]
async fn lists_are_narrowed_by_category_and_target_and_widened_by_datastores() {
    let (session, connection) = hub().await;
    session.put(&connection, open_ai()).await;
    let git = json!({"properties": {"authType": "None", "category": "Git", "target": "https://git"}});
    session.put(&format!("{}/connections/git", workspace("hub")), git).await;
    let list = format!("{}/connections?api-version=2025-12-01", workspace("hub"));
    let count = async |query: &str| {
        let body = session.get(&format!("{list}{query}")).await.body();
        body["value"].as_array().unwrap().len()
    };
    assert_eq!(count("").await, 2);
    assert_eq!(count("&category=azureopenai").await, 1);
    assert_eq!(count("&target=https%3A%2F%2Fgit").await, 1);
    assert_eq!(count("&includeAll=true").await, 6);
}

#[tokio::test]
async fn a_connection_goes_with_its_workspace() {
    let (session, connection) = hub().await;
    session.put(&connection, open_ai()).await;
    session.arm("DELETE", &workspace("hub"), None).await;
    assert_eq!(session.emulator.resources(), Vec::<Value>::new());
    let reply = session.put(&connection, open_ai()).await;
    assert_eq!((reply.status, reply.code().as_str()), (404, "ParentResourceNotFound"));
}
