//! Input that somebody chose to do harm, or that is as odd as the API server lets it be: it is made, or it ends in a condition
//! that says why not; never in a panic, never in a loop, and never with a hand on what is another's.

use std::net::TcpListener;
use std::time::Duration;

use foundry_operator::api::conditions::ConditionType;
use foundry_operator::api::{FoundryConnection, FoundryHub, FoundryProject, RECONCILE_AT};
use kube::api::{Patch, PatchParams};
use serde_json::{Map, Value, json};

use crate::harness::{Driven, Scene, from_secret, hub_spec, says};

/// More calls to ARM than anything here takes.
const CALLS: usize = 60;

impl Scene {
    /// Edits a status, as somebody may who has the right to.
    async fn edit_status<K: Driven>(&self, namespace: &str, name: &str, status: Value) {
        let patch = Patch::Merge(json!({"status": status}));
        self.api::<K>(namespace).patch_status(name, &PatchParams::default(), &patch).await.unwrap();
    }

    /// Once everything has come to rest, nothing goes on by itself.
    async fn is_calm(&self) {
        assert!(self.is_running(), "the operator has ended");
        assert!(!self.log().contains("panicked"), "the operator has panicked");
        let calls = self.calls("", "").len();
        assert!(calls < CALLS, "{calls} calls to ARM");
        // Time for a loop to show itself.
        tokio::time::sleep(Duration::from_secs(1)).await;
        assert!(self.calls("", "").len() <= calls + 5, "it goes on and on");
    }
}

/// Text of so many characters, none of which is ASCII.
fn long(length: usize) -> String {
    "日本語ß€🦀".chars().cycle().take(length).collect()
}

fn most_tags() -> Value {
    let tags = (0..40).map(|at| (format!("{at:02}{}", "é".repeat(200)), Value::from(long(256))));
    Value::Object(tags.collect::<Map<_, _>>())
}

#[tokio::test]
async fn what_is_as_long_as_it_may_be_is_made() {
    let scene = Scene::new().await;
    let mut hub = hub_spec(&"h".repeat(33));
    hub["friendlyName"] = json!(long(256));
    hub["description"] = json!(long(1024));
    hub["tags"] = most_tags();
    scene.apply::<FoundryHub>(&scene.platform, &"h".repeat(63), hub).await;
    scene.until_ready::<FoundryHub>(&scene.platform, &"h".repeat(63)).await;
    let mut project = scene.project_spec(&"h".repeat(63));
    project["friendlyName"] = json!(long(256));
    project["description"] = json!(long(1024));
    project["tags"] = most_tags();
    let name = "p".repeat(253);
    scene.apply::<FoundryProject>(&scene.team, &name, project).await;
    let project = scene.until_ready::<FoundryProject>(&scene.team, &name).await;
    let tags = scene.azure.resource(&project.engine().resource_id.unwrap()).unwrap()["tags"].clone();
    assert_eq!(tags.as_object().unwrap().len(), 41);
    let metadata = (0..40).map(|at| (format!("{at:02}{}", "k".repeat(60)), Value::from(long(2048))));
    let connection = json!({
        "projectRef": {"name": name}, "category": "AIServices", "authType": "AAD",
        "target": long(2048), "metadata": metadata.collect::<Map<_, _>>(), "azureName": "c".repeat(33),
    });
    scene.apply::<FoundryConnection>(&scene.team, &"c".repeat(253), connection).await;
    scene.until_ready::<FoundryConnection>(&scene.team, &"c".repeat(253)).await;
    scene.is_calm().await;
}

#[tokio::test]
async fn names_that_are_alike_once_they_are_cut_stay_distinct() {
    let scene = Scene::new().await;
    scene.ready_hub("contoso").await;
    let mut names = Vec::new();
    for end in ["one", "two"] {
        let name = format!("a-name-that-is-too-long-for-azure-{end}");
        names.push(scene.ready_project(&name, "contoso").await.engine().azure_name.unwrap());
    }
    assert_eq!(names[0][..24], names[1][..24]);
    assert_ne!(names[0], names[1]);
    scene.is_calm().await;
}

#[tokio::test]
async fn a_secret_of_a_megabyte_ends_in_a_connection_or_in_a_condition() {
    let scene = Scene::new().await;
    scene.ready_hub("contoso").await;
    let large = "s3cr3t".repeat(170_000);
    scene.apply_secret(&scene.platform, "s", &[("key", &large)]).await;
    let spec = json!({
        "hubRef": {"name": "contoso"}, "category": "CustomKeys", "target": "not a URL \u{202e}", "authType": "ApiKey",
        "credentials": {"key": from_secret("s", "key")},
    });
    scene.apply::<FoundryConnection>(&scene.platform, "conn", spec).await;
    let ended = |c: &FoundryConnection| {
        says(c, ConditionType::Ready, "True", "Reconciled") || says(c, ConditionType::Stalled, "True", "Refused")
    };
    scene.until(&scene.platform, "conn", "made or refused", ended).await;
    assert!(!scene.log().contains("s3cr3ts3cr3t"), "the log tells the secret");
    scene.is_calm().await;
}

#[tokio::test]
async fn a_status_that_names_anothers_workspace_gives_no_hold_on_it() {
    let scene = Scene::new().await;
    let theirs = scene.put_hub(&json!({"foundryoperator.dev.owner": "other-cluster/platform/theirs"}));
    let before = scene.azure.resource(&theirs);
    scene.apply::<FoundryHub>(&scene.platform, "ours", hub_spec(&scene.unique("ours"))).await;
    let ours = scene.until_ready::<FoundryHub>(&scene.platform, "ours").await.engine().resources.remove(0);
    let written = scene.writes().len();

    // Beside what is ours: the entry goes, the workspace stays.
    let created_at = before.as_ref().unwrap()["systemData"]["createdAt"].clone();
    let entry = json!({"id": theirs, "createdAt": created_at});
    scene.edit_status::<FoundryHub>(&scene.platform, "ours", json!({"resources": [ours, entry]})).await;
    let alone = |hub: &FoundryHub| hub.engine().resources.len() == 1;
    scene.annotate::<FoundryHub>(&scene.platform, "ours", RECONCILE_AT, "1").await;
    scene.until(&scene.platform, "ours", "rid of the entry", alone).await;

    // In its place: a conflict.
    scene.edit_status::<FoundryHub>(&scene.platform, "ours", json!({"resources": [entry]})).await;
    scene.annotate::<FoundryHub>(&scene.platform, "ours", RECONCILE_AT, "2").await;
    let conflict = |hub: &FoundryHub| says(hub, ConditionType::Stalled, "True", "Conflict");
    scene.until(&scene.platform, "ours", "in conflict", conflict).await;
    scene.delete::<FoundryHub>(&scene.platform, "ours").await;
    scene.until_gone::<FoundryHub>(&scene.platform, "ours").await;
    assert_eq!(scene.azure.resource(&theirs), before);
    assert_eq!(scene.writes().len(), written, "{:#?}", scene.writes());
    scene.is_calm().await;
}

#[tokio::test]
async fn a_status_that_names_what_this_operator_cannot_have_made_is_told_and_nothing_is_touched() {
    let subscription = "/subscriptions/00000000-0000-4000-8000-00000000dead";
    let ids = [
        format!("{subscription}/resourceGroups/rg/providers/Microsoft.Storage/storageAccounts/st"),
        format!("{subscription}/resourceGroups/rg/providers/Microsoft.MachineLearningServices/workspaces/w/computes/c"),
        "../../subscriptions/x?api-version=1#".to_owned(),
        "\u{202e}日本語".to_owned(),
        String::new(),
    ];
    let scene = Scene::new().await;
    let mut spec = hub_spec(&scene.unique("contoso"));
    spec["managementPolicy"] = json!("Pause");
    scene.apply::<FoundryHub>(&scene.platform, "contoso", spec).await;
    let paused = |hub: &FoundryHub| says(hub, ConditionType::Ready, "Unknown", "Paused");
    scene.until(&scene.platform, "contoso", "paused", paused).await;
    for (at, id) in ids.iter().enumerate() {
        scene.edit_status::<FoundryHub>(&scene.platform, "contoso", json!({"resources": [{"id": id}]})).await;
        let reconcile = json!({"managementPolicy": "Manage", "friendlyName": format!("{at}")});
        scene.change::<FoundryHub>(&scene.platform, "contoso", reconcile).await;
        let told = |hub: &FoundryHub| {
            let conditions = hub.engine().conditions;
            let message = conditions.first().map(|ready| ready.message.clone()).unwrap_or_default();
            says(hub, ConditionType::Stalled, "True", "UnknownResource")
                && message.contains(&format!("names {id}, which"))
        };
        scene.until(&scene.platform, "contoso", "told", told).await;
    }
    assert_eq!(scene.calls("", "dead").len(), 0);
    assert_eq!(scene.writes().len(), 0, "{:#?}", scene.writes());

    // Whoever takes the entry out, as the message says, gets on.
    scene.edit_status::<FoundryHub>(&scene.platform, "contoso", json!({"resources": null})).await;
    scene.annotate::<FoundryHub>(&scene.platform, "contoso", RECONCILE_AT, "1").await;
    scene.until_ready::<FoundryHub>(&scene.platform, "contoso").await;
    scene.is_calm().await;
}

#[tokio::test]
async fn an_operation_on_another_host_is_never_asked_about() {
    let trap = TcpListener::bind("127.0.0.1:0").unwrap();
    trap.set_nonblocking(true).unwrap();
    let address = trap.local_addr().unwrap();
    let scene = Scene::new().await;
    scene.ready_hub("contoso").await;
    let urls = [
        format!("https://{address}/subscriptions/s/operations/1"),
        format!("http://{address}/"),
        format!("//{address}/"),
        "file:///etc/passwd".to_owned(),
        "日本語".to_owned(),
        String::new(),
    ];
    for url in urls {
        let id = scene.workspace_id("contoso");
        let operation = json!({"kind": "Delete", "resourceId": id, "url": url, "startedAt": "not a time"});
        scene.edit_status::<FoundryHub>(&scene.platform, "contoso", json!({"operation": operation})).await;
        scene.annotate::<FoundryHub>(&scene.platform, "contoso", RECONCILE_AT, &url).await;
        let forgotten = |hub: &FoundryHub| hub.engine().operation.is_none();
        scene.until(&scene.platform, "contoso", "rid of the operation", forgotten).await;
    }
    scene.until_ready::<FoundryHub>(&scene.platform, "contoso").await;
    assert!(trap.accept().is_err(), "a URL from a status was called");
    assert!(scene.azure.resource(&scene.workspace_id("contoso")).is_some());
    assert!(!scene.log().contains("panicked"), "the operator has panicked");
}

#[tokio::test]
async fn a_status_of_a_newer_version_is_read_for_what_it_has() {
    let scene = Scene::new().await;
    scene.ready_hub("contoso").await;
    let newer = json!({
        "azureDreams": {"of": ["sheep"]},
        "conditions": [{
            "type": "Dreaming", "status": "True", "reason": "Newer", "message": "", "lastTransitionTime": "2030-01-01T00:00:00Z",
        }],
    });
    scene.edit_status::<FoundryHub>(&scene.platform, "contoso", newer).await;
    scene.change::<FoundryHub>(&scene.platform, "contoso", json!({"friendlyName": "Changed"})).await;
    scene.until_ready::<FoundryHub>(&scene.platform, "contoso").await;
    scene.is_calm().await;
}
