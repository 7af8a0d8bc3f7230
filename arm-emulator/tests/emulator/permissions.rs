//! What identities may do.

use arm_emulator::{Config, Permissions};
use serde_json::json;

use crate::session::{CLIENT, Session, config, hub_body, workspace};

#[tokio::test]
async fn who_may_not_is_told_which_action_over_which_scope() {
    let permissions = vec![(CLIENT.to_uppercase(), Permissions::only(["Microsoft.MachineLearningServices/*/read"]))];
    let session = Session::with(Config { permissions, ..config() }).await;
    let hub = workspace("hub");
    assert_eq!(session.get(&hub).await.status, 404);
    let refused = session.put(&hub, hub_body()).await;
    assert_eq!((refused.status, refused.code().as_str()), (403, "AuthorizationFailed"));
    assert_eq!(refused.header("x-ms-failure-cause"), "gateway");
    for part in [CLIENT, "'Microsoft.MachineLearningServices/workspaces/write'", &format!("over scope '{hub}'")] {
        assert!(refused.message().contains(part), "{}", refused.message());
    }
    session.emulator.grant(CLIENT, "Microsoft.MachineLearningServices/workspaces/write");
    session.accepted(&hub, hub_body()).await;
}

#[tokio::test]
async fn permissions_come_and_go_over_http() {
    let session = Session::start().await;
    let path = format!("permissions/{CLIENT}");
    assert_eq!(session.control("GET", &path, None).await.body(), json!({"actions": ["*"], "notActions": []}));
    let action = json!({"action": "Microsoft.MachineLearningServices/workspaces/read"});
    assert_eq!(session.control("POST", &format!("{path}/revoke"), Some(action.clone())).await.status, 204);
    assert_eq!(session.get(&workspace("hub")).await.status, 403);
    assert_eq!(session.control("POST", &format!("{path}/grant"), Some(action)).await.status, 204);
    assert_eq!(session.get(&workspace("hub")).await.status, 404);
    assert_eq!(session.control("PUT", &path, Some(json!({"actions": []}))).await.status, 204);
    assert_eq!(session.get(&workspace("hub")).await.status, 403);
    assert!(session.emulator.permissions(CLIENT).actions.is_empty());
}
