//! Deletions with something in their way: each ends, or says why it does not and what would end it.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use arm_emulator::{Fault, FaultRule, Moment};
use foundry_operator::api::conditions::ConditionType;
use foundry_operator::api::{FoundryConnection, FoundryHub, FoundryProject};
use k8s_openapi::api::core::v1::Namespace;
use kube::Api;
use kube::api::DeleteParams;
use kube::runtime::wait::{await_condition, conditions::is_deleted};
use serde_json::{Value, json};
use stage::{Azure, Cluster, OPERATOR_CLIENT_ID, Operator, Settings, repository};

use crate::harness::{Driven as _, PATIENCE, Scene, condition, from_secret, hub_spec, quick_azure};

const ANYTHING: &str = "Microsoft.MachineLearningServices/*";

fn refuses(method: &str, path: &str, status: u16, code: &str, message: &str) -> FaultRule {
    let body = json!({"error": {"code": code, "message": message}});
    FaultRule::new(method, path, Fault::Answer { status, headers: BTreeMap::new(), body })
}

/// A hub that allows projects from its own namespace.
fn hub_to_itself(azure_name: &str) -> Value {
    let mut spec = hub_spec(azure_name);
    spec["allowedProjects"] = json!({"namespaces": {"from": "Same"}});
    spec
}

fn connection(parent: &str, name: &str, secret: &str) -> Value {
    json!({
        parent: {"name": name}, "category": "AzureOpenAI", "target": "https://a", "authType": "ApiKey",
        "credentials": {"key": from_secret(secret, "key")}, "metadata": {"ApiType": "Azure"},
    })
}

impl Scene {
    /// The hub `contoso` is being deleted, and its condition has this reason and says all of this, and what would release it.
    async fn waits(&self, reason: &str, parts: &[&str]) {
        let waits = |hub: &FoundryHub| {
            hub.metadata.deletion_timestamp.is_some() && condition(hub, ConditionType::Ready).1 == reason
        };
        let hub = self.until(&self.platform, "contoso", "waiting", waits).await;
        let message = &hub.engine().conditions[0].message;
        for part in parts.iter().chain(&["deletionPolicy: Orphan"]) {
            assert!(message.contains(part), "{part} is not in: {message}");
        }
    }

    /// Its owner gives it up.
    async fn is_released_by_orphan(&self) {
        self.change::<FoundryHub>(&self.platform, "contoso", json!({"deletionPolicy": "Orphan"})).await;
        self.until_gone::<FoundryHub>(&self.platform, "contoso").await;
        assert!(self.azure.resource(&self.workspace_id("contoso")).is_some());
    }

    /// Somebody has mended what was in the way, and asks for another try.
    async fn goes_now(&self) {
        self.annotate::<FoundryHub>(&self.platform, "contoso", "foundryoperator.dev/reconcile-at", "now").await;
        self.until_gone::<FoundryHub>(&self.platform, "contoso").await;
        assert_eq!(self.azure.resources(), Vec::<Value>::new());
    }

    async fn delete_contoso(&self) {
        self.delete::<FoundryHub>(&self.platform, "contoso").await;
    }

    async fn delete_namespace(&self, name: &str) {
        let namespaces: Api<Namespace> = Api::all(self.client.clone());
        namespaces.delete(name, &DeleteParams::default()).await.unwrap();
    }

    async fn until_namespace_is_gone(&self, name: &str) {
        let namespaces: Api<Namespace> = Api::all(self.client.clone());
        let Some(namespace) = namespaces.get_opt(name).await.unwrap() else { return };
        let uid = namespace.metadata.uid.unwrap();
        let gone = await_condition(namespaces.clone(), name, is_deleted(&uid));
        let in_time = tokio::time::timeout(PATIENCE, gone).await.is_ok();
        let left = namespaces.get_opt(name).await.unwrap();
        assert!(in_time, "{name} is not gone within {PATIENCE:?}: {left:#?}");
    }
}

#[tokio::test]
async fn a_namespace_goes_with_everything_in_it_at_once() {
    let scene = Scene::new().await;
    let platform = scene.platform.clone();
    scene.apply_secret(&platform, "key", &[("key", "k-1")]).await;
    scene.apply::<FoundryHub>(&platform, "contoso", hub_to_itself(&scene.unique("contoso"))).await;
    let spec = json!({"hubRef": {"name": "contoso"}});
    scene.apply::<FoundryProject>(&platform, "churn", spec).await;
    for (name, parent, of) in [("own", "projectRef", "churn"), ("shared", "hubRef", "contoso")] {
        scene.apply::<FoundryConnection>(&platform, name, connection(parent, of, "key")).await;
        scene.until_ready::<FoundryConnection>(&platform, name).await;
    }
    scene.delete_namespace(&platform).await;
    scene.until_namespace_is_gone(&platform).await;
    assert_eq!(scene.azure.resources(), Vec::<Value>::new());
}

#[tokio::test]
async fn the_namespaces_of_a_hub_and_of_its_projects_go_at_once() {
    let scene = Scene::new().await;
    scene.apply_secret(&scene.team, "key", &[("key", "k-1")]).await;
    scene.ready_hub("contoso").await;
    scene.ready_project("churn", "contoso").await;
    scene.apply::<FoundryConnection>(&scene.team, "own", connection("projectRef", "churn", "key")).await;
    scene.until_ready::<FoundryConnection>(&scene.team, "own").await;
    scene.delete_namespace(&scene.platform).await;
    scene.delete_namespace(&scene.team).await;
    scene.until_namespace_is_gone(&scene.team).await;
    scene.until_namespace_is_gone(&scene.platform).await;
    assert_eq!(scene.azure.resources(), Vec::<Value>::new());
}

#[tokio::test]
async fn a_namespace_that_goes_while_its_hub_is_made_leaves_nothing() {
    let scene = Scene::new().await;
    scene.azure.set_timings(arm_emulator::Timings::all(Duration::from_secs(3)));
    let platform = &scene.platform;
    scene.apply::<FoundryHub>(platform, "contoso", hub_to_itself(&scene.unique("contoso"))).await;
    scene.apply::<FoundryProject>(platform, "churn", json!({"hubRef": {"name": "contoso"}})).await;
    scene.eventually("asked of Azure", || !scene.calls("PUT", "/workspaces/").is_empty()).await;
    scene.delete_namespace(platform).await;
    scene.until_namespace_is_gone(platform).await;
    assert_eq!(scene.azure.resources(), Vec::<Value>::new());
}

#[tokio::test]
async fn a_lock_is_told_with_the_way_to_take_it_off_and_the_deletion_then_ends() {
    let scene = Scene::new().await;
    scene.ready_hub("contoso").await;
    let group = "/subscriptions/s/resourceGroups/rg-ai";
    let message = format!(
        "The scope '{group}/x' cannot perform delete operation because following scope(s) are locked: '{group}'. Please \
         remove the lock and try again."
    );
    scene.azure.add_fault(refuses("DELETE", "/workspaces/", 409, "ScopeLocked", &message));
    scene.delete_contoso().await;
    scene.waits("Forbidden", &["ScopeLocked", "az lock delete", group]).await;
    scene.azure.clear_faults();
    scene.goes_now().await;
}

#[tokio::test]
async fn orphan_releases_what_a_lock_keeps() {
    let scene = Scene::new().await;
    scene.ready_hub("contoso").await;
    scene.azure.add_fault(refuses("DELETE", "/workspaces/", 409, "ScopeLocked", "locked"));
    scene.delete_contoso().await;
    scene.waits("Forbidden", &["ScopeLocked"]).await;
    scene.is_released_by_orphan().await;
    let tags = || scene.azure.resource(&scene.workspace_id("contoso")).unwrap()["tags"].clone();
    scene.eventually("without our mark", || tags().get("foundryoperator.dev.owner").is_none()).await;
}

#[tokio::test]
async fn observe_releases_what_is_being_deleted_too() {
    let scene = Scene::new().await;
    scene.ready_hub("contoso").await;
    scene.azure.add_fault(refuses("DELETE", "/workspaces/", 409, "ScopeLocked", "locked"));
    scene.delete_contoso().await;
    scene.waits("Forbidden", &["ScopeLocked"]).await;
    scene.change::<FoundryHub>(&scene.platform, "contoso", json!({"managementPolicy": "Observe"})).await;
    scene.until_gone::<FoundryHub>(&scene.platform, "contoso").await;
    assert!(scene.azure.resource(&scene.workspace_id("contoso")).is_some());
}

#[tokio::test]
async fn a_deletion_that_is_paused_waits_until_it_is_managed_again() {
    let scene = Scene::new().await;
    scene.ready_hub("contoso").await;
    scene.change::<FoundryHub>(&scene.platform, "contoso", json!({"managementPolicy": "Pause"})).await;
    scene.delete_contoso().await;
    scene.waits("Paused", &["nothing is deleted"]).await;
    assert_eq!(scene.calls("DELETE", "").len(), 0);
    scene.change::<FoundryHub>(&scene.platform, "contoso", json!({"managementPolicy": "Manage"})).await;
    scene.until_gone::<FoundryHub>(&scene.platform, "contoso").await;
    assert_eq!(scene.azure.resources(), Vec::<Value>::new());
}

#[tokio::test]
async fn orphan_releases_what_is_still_being_made() {
    let scene = Scene::new().await;
    scene.azure.set_timings(arm_emulator::Timings::all(Duration::from_mins(10)));
    scene.apply_hub("contoso").await;
    let running = |hub: &FoundryHub| hub.engine().operation.is_some();
    scene.until(&scene.platform, "contoso", "being made", running).await;
    scene.delete_contoso().await;
    let deleting = |hub: &FoundryHub| hub.engine().conditions[0].message.contains("it is deleted when");
    scene.until(&scene.platform, "contoso", "being deleted", deleting).await;
    scene.waits("Creating", &["it is deleted when that has ended"]).await;
    scene.is_released_by_orphan().await;
}

#[tokio::test]
async fn a_role_that_was_revoked_is_told_and_the_deletion_ends_when_it_is_granted() {
    let scene = Scene::new().await;
    scene.ready_hub("contoso").await;
    scene.azure.revoke(OPERATOR_CLIENT_ID, ANYTHING);
    scene.delete_contoso().await;
    scene.waits("Forbidden", &["az role assignment create"]).await;
    scene.azure.grant(OPERATOR_CLIENT_ID, ANYTHING);
    scene.goes_now().await;
}

#[tokio::test]
async fn orphan_releases_what_the_operator_may_no_longer_touch() {
    let scene = Scene::new().await;
    scene.ready_hub("contoso").await;
    scene.azure.revoke(OPERATOR_CLIENT_ID, ANYTHING);
    scene.delete_contoso().await;
    scene.waits("Forbidden", &[]).await;
    scene.is_released_by_orphan().await;
}

#[tokio::test]
async fn orphan_releases_what_belongs_to_an_identity_that_can_no_longer_sign_in() {
    let mut scene = Scene::new().await;
    scene.ready_hub("contoso").await;
    scene.restart_with("AZURE_CLIENT_ID", "00000000-0000-4000-8000-00000000dead");
    scene.delete_contoso().await;
    scene.waits("SignInFailed", &[]).await;
    scene.is_released_by_orphan().await;
}

#[tokio::test]
async fn what_went_with_its_resource_group_is_let_go() {
    let scene = Scene::new().await;
    scene.apply_secret(&scene.team, "key", &[("key", "k-1")]).await;
    scene.ready_hub("contoso").await;
    let project = scene.ready_project("churn", "contoso").await.engine().resource_id.unwrap();
    scene.apply::<FoundryConnection>(&scene.team, "own", connection("projectRef", "churn", "key")).await;
    scene.until_ready::<FoundryConnection>(&scene.team, "own").await;
    scene.azure.remove_resource(&project).unwrap();
    scene.azure.remove_resource(&scene.workspace_id("contoso")).unwrap();
    let gone = "Resource group 'rg-ai' could not be found.";
    scene.azure.add_fault(refuses("", "/resourceGroups/rg-ai/", 404, "ResourceGroupNotFound", gone));
    scene.delete_contoso().await;
    scene.delete::<FoundryProject>(&scene.team, "churn").await;
    scene.delete::<FoundryConnection>(&scene.team, "own").await;
    scene.until_gone::<FoundryConnection>(&scene.team, "own").await;
    scene.until_gone::<FoundryProject>(&scene.team, "churn").await;
    scene.until_gone::<FoundryHub>(&scene.platform, "contoso").await;
}

#[tokio::test]
async fn a_subscription_that_is_gone_is_told_and_orphan_releases() {
    let scene = Scene::new().await;
    scene.ready_hub("contoso").await;
    let gone = "The subscription could not be found.";
    scene.azure.add_fault(refuses("", "/subscriptions/", 404, "SubscriptionNotFound", gone));
    scene.delete_contoso().await;
    scene.waits("Refused", &["SubscriptionNotFound", "check subscriptionId"]).await;
    scene.is_released_by_orphan().await;
}

#[tokio::test]
async fn while_azure_is_down_a_deletion_waits_and_then_ends() {
    let scene = Scene::new().await;
    scene.ready_hub("contoso").await;
    scene.azure.add_fault(FaultRule::new("", "/workspaces/", Fault::DropConnection(Moment::Before)));
    scene.delete_contoso().await;
    scene.waits("AzureUnavailable", &[]).await;
    scene.azure.clear_faults();
    scene.goes_now().await;
}

#[tokio::test]
async fn orphan_releases_while_azure_is_down() {
    let scene = Scene::new().await;
    scene.ready_hub("contoso").await;
    scene.azure.add_fault(FaultRule::new("", "/workspaces/", Fault::DropConnection(Moment::Before)));
    scene.delete_contoso().await;
    scene.waits("AzureUnavailable", &[]).await;
    scene.is_released_by_orphan().await;
}

#[tokio::test]
async fn projects_that_this_cluster_does_not_know_are_named_and_the_hub_goes_after_them() {
    let scene = Scene::new().await;
    let hub = scene.ready_hub("contoso").await.engine().resource_id.unwrap();
    let id = scene.workspace_id("by-hand");
    let project = json!({
        "kind": "Project", "location": "westeurope", "identity": {"type": "SystemAssigned"}, "properties": {"hubResourceId": hub},
    });
    scene.azure.put_resource(&id, &project).unwrap();
    scene.delete_contoso().await;
    let (_, name) = id.rsplit_once('/').unwrap();
    scene.waits("HubHasProjects", &[name]).await;
    assert!(scene.azure.resource(&id).is_some());
    scene.azure.remove_resource(&id).unwrap();
    scene.goes_now().await;
}

/// With a control plane of its own: the others need their CRDs.
#[tokio::test(flavor = "multi_thread")]
async fn deleting_the_crds_leaves_nothing_and_they_can_come_again() {
    let cluster = Cluster::start(None).unwrap();
    let azure = Azure::start(&cluster, quick_azure()).await.unwrap();
    let folder = tempfile::TempDir::new().unwrap();
    let flags = ["--poll-interval", "100ms", "--leader-elect", "false"].map(str::to_owned).to_vec();
    let (program, folder) = (PathBuf::from(env!("CARGO_BIN_EXE_foundry-operator")), folder.path().to_owned());
    let settings = Settings { program, folder, flags, environment: Vec::new() };
    let operator = Operator::start(&cluster, &azure, &settings).unwrap();
    let object = |kind: &str, name: &str, spec: Value| {
        let metadata = json!({"name": name, "namespace": "default"});
        json!({"apiVersion": "foundryoperator.dev/v1alpha1", "kind": kind, "metadata": metadata, "spec": spec})
            .to_string()
    };
    let kubectl = |arguments: &[&str]| {
        let log = || std::fs::read_to_string(operator.log()).unwrap();
        cluster.kubectl(arguments).unwrap_or_else(|error| panic!("{error}\n{}", log()))
    };
    let until_ready = |what: &str| kubectl(&["wait", "--for=condition=Ready", "--timeout=90s", what, "-n", "default"]);
    cluster.apply(&object("FoundryHub", "contoso", hub_to_itself("contoso"))).unwrap();
    let spec = json!({"hubRef": {"name": "contoso"}});
    cluster.apply(&object("FoundryProject", "churn", spec)).unwrap();
    let shared =
        json!({"hubRef": {"name": "contoso"}, "category": "AIServices", "target": "https://a", "authType": "AAD"});
    cluster.apply(&object("FoundryConnection", "shared", shared)).unwrap();
    for what in ["foundryhub/contoso", "foundryproject/churn", "foundryconnection/shared"] {
        until_ready(what);
    }
    kubectl(&["delete", "crd", "--all", "--timeout=90s"]);
    assert_eq!(azure.resources(), Vec::<Value>::new());

    let crds = repository().join("crds").display().to_string();
    kubectl(&["apply", "--server-side", "-f", &crds]);
    kubectl(&["wait", "--for=condition=Established", "--timeout=30s", "crd", "--all"]);
    cluster.apply(&object("FoundryHub", "contoso", hub_to_itself("contoso"))).unwrap();
    until_ready("foundryhub/contoso");
    assert!(operator.is_running());
}
