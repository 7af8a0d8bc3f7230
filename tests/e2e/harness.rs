//! The stage of one test.

use std::fmt::Debug;
use std::path::{Path, PathBuf};
use std::sync::OnceLock;
use std::time::Duration;

use arm_emulator::{Config, JournalEntry, Limits, Settings as AzureSettings, Timings};
use foundry_operator::api::conditions::{ConditionType, find, is_true};
use foundry_operator::api::status::EngineStatus;
use foundry_operator::api::{FoundryConnection, FoundryHub, FoundryProject};
use k8s_openapi::api::core::v1::{Namespace, Secret};
use k8s_openapi::api::events::v1::Event;
use kube::api::{DeleteParams, ListParams, Patch, PatchParams, PostParams};
use kube::config::{KubeConfigOptions, Kubeconfig};
use kube::core::NamespaceResourceScope;
use kube::runtime::wait::await_condition;
use kube::{Api, Client, Resource, ResourceExt as _};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use stage::{Azure, Cluster, Operator, Settings};
use tempfile::TempDir;

/// How long anything may take that a test waits for.
pub const PATIENCE: Duration = Duration::from_secs(45);
/// How long emulated Azure takes to make, change or delete a workspace.
pub const AZURE_TAKES: Duration = Duration::from_millis(400);
pub const SUBSCRIPTION: &str = arm_emulator::DEFAULT_SUBSCRIPTION;

/// The control plane that all tests of this program share. It ends with the program.
pub fn cluster() -> &'static Cluster {
    static CLUSTER: OnceLock<Cluster> = OnceLock::new();
    CLUSTER.get_or_init(|| {
        // Several TLS providers are compiled in; the first to be needed has to be chosen.
        let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
        Cluster::start(None).unwrap()
    })
}

/// The operator's program, or another that stands for it (`make test-image`).
fn program() -> PathBuf {
    std::env::var_os("FOUNDRY_PROGRAM").map_or_else(|| env!("CARGO_BIN_EXE_foundry-operator").into(), PathBuf::from)
}

/// A client with an administrator's rights.
pub async fn admin() -> Client {
    let kubeconfig = Kubeconfig::read_from(cluster().control_plane().admin_kubeconfig()).unwrap();
    let config = kube::Config::from_custom_kubeconfig(kubeconfig, &KubeConfigOptions::default()).await.unwrap();
    Client::try_from(config).unwrap()
}

/// A namespace that nobody else has.
pub async fn new_namespace(client: &Client, labels: &[(&str, &str)]) -> String {
    let mut namespace = Namespace::default();
    namespace.metadata.generate_name = Some("e2e-".to_owned());
    namespace.metadata.labels =
        Some(labels.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect());
    Api::all(client.clone()).create(&PostParams::default(), &namespace).await.unwrap().name_any()
}

/// An object that the operator drives.
pub trait Driven:
    Resource<DynamicType = (), Scope = NamespaceResourceScope>
    + Clone
    + Debug
    + Serialize
    + DeserializeOwned
    + Send
    + Sync
    + 'static
{
    fn engine(&self) -> EngineStatus;
}

impl Driven for FoundryHub {
    fn engine(&self) -> EngineStatus {
        self.status.clone().unwrap_or_default().engine
    }
}

impl Driven for FoundryProject {
    fn engine(&self) -> EngineStatus {
        self.status.clone().unwrap_or_default().engine
    }
}

impl Driven for FoundryConnection {
    fn engine(&self) -> EngineStatus {
        self.status.clone().unwrap_or_default().engine
    }
}

/// Whether the object is Ready for the spec that it has.
pub fn is_ready<K: Driven>(object: &K) -> bool {
    let engine = object.engine();
    is_true(&engine.conditions, ConditionType::Ready)
        && is_true(&engine.conditions, ConditionType::Synced)
        && engine.observed_generation == object.meta().generation
}

/// The status and reason of a condition.
pub fn condition<K: Driven>(object: &K, type_: ConditionType) -> (String, String) {
    let engine = object.engine();
    find(&engine.conditions, type_).map(|c| (c.status.clone(), c.reason.clone())).unwrap_or_default()
}

/// Whether a condition has a status and reason.
pub fn says<K: Driven>(object: &K, type_: ConditionType, status: &str, reason: &str) -> bool {
    condition(object, type_) == (status.to_owned(), reason.to_owned())
}

/// An operator with an Azure of its own, and two namespaces that only it serves.
pub struct Scene {
    pub client: Client,
    pub azure: Azure,
    /// The namespace of hubs.
    pub platform: String,
    /// The namespace of projects, which hubs allow by the label `foundry: allowed`.
    pub team: String,
    operator: Option<Operator>,
    folder: TempDir,
    flags: Vec<String>,
    environment: Vec<(String, String)>,
}

/// How a scene differs from the usual.
#[derive(Default)]
pub struct Setting {
    pub azure: Option<Config>,
    /// Flags of the operator besides the usual ones, or in their place.
    pub flags: Vec<&'static str>,
    /// Variables of the operator's besides the usual ones, or instead of them.
    pub environment: Vec<(&'static str, String)>,
}

impl Scene {
    /// The usual one: nothing happens unless something changes.
    pub async fn new() -> Self {
        Self::with(Setting::default()).await
    }

    pub async fn with(setting: Setting) -> Self {
        let config = setting.azure.clone().unwrap_or_else(quick_azure);
        Self::beside(Azure::start(cluster(), config).await.unwrap(), setting).await
    }

    /// With an Azure that runs already.
    pub async fn beside(azure: Azure, setting: Setting) -> Self {
        let mut scene = Self::without_operator(azure, setting).await;
        scene.start_operator();
        scene
    }

    pub async fn without_operator(azure: Azure, setting: Setting) -> Self {
        let client = admin().await;
        let platform = new_namespace(&client, &[]).await;
        let team = new_namespace(&client, &[("foundry", "allowed")]).await;
        let namespaces = format!("{platform},{team}");
        let usual = [
            ["--log-level", "trace"],
            ["--poll-interval", "100ms"],
            ["--watch-namespaces", &namespaces],
            // Nobody else serves these namespaces, but all scenes share the one of the lease.
            ["--leader-elect", "false"],
        ];
        let usual = usual.iter().filter(|[flag, _]| !setting.flags.contains(flag)).flatten();
        let flags = usual.chain(&setting.flags).map(|flag| (*flag).to_owned()).collect();
        let environment = setting.environment.into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
        let folder = TempDir::new().unwrap();
        Self { client, azure, platform, team, operator: None, folder, flags, environment }
    }

    /// An operator of this scene's beside its own, with what it needs in a folder of its own.
    pub fn another_operator(&self, name: &str, environment: Vec<(String, String)>) -> Operator {
        self.operator_in(self.folder.path().join(name), environment)
    }

    pub fn start_operator(&mut self) {
        self.operator = Some(self.operator_in(self.folder.path().to_owned(), self.environment.clone()));
    }

    fn operator_in(&self, folder: PathBuf, environment: Vec<(String, String)>) -> Operator {
        let settings = Settings { program: program(), folder, flags: self.flags.clone(), environment };
        Operator::start(cluster(), &self.azure, &settings).unwrap()
    }

    /// As `kill -9` does, and as a Deployment then starts it again.
    pub fn crash_operator(&mut self) {
        self.operator.as_mut().unwrap().crash().unwrap();
    }

    /// As the end of a pod does. Whatever is under way, it is over soon.
    pub fn stop_operator(&mut self) {
        self.operator.take().unwrap().terminate(Duration::from_secs(10)).unwrap();
    }

    /// Starts the operator with another value of a variable.
    pub fn restart_with(&mut self, variable: &str, value: &str) {
        self.stop_operator();
        self.environment.retain(|(name, _)| name != variable);
        self.environment.push((variable.to_owned(), value.to_owned()));
        self.start_operator();
    }

    pub fn is_running(&self) -> bool {
        self.operator.as_ref().is_some_and(Operator::is_running)
    }

    pub fn log(&self) -> String {
        std::fs::read_to_string(self.folder.path().join("operator.log")).unwrap_or_default()
    }

    /// The log of [`Self::another_operator`].
    pub fn log_of(&self, name: &str) -> String {
        std::fs::read_to_string(self.folder.path().join(name).join("operator.log")).unwrap_or_default()
    }

    /// A folder that goes with the scene.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// Where the operator's metrics and health are.
    pub async fn address(&self) -> String {
        self.eventually("listening", || self.operator.as_ref().is_some_and(|it| it.http_address().is_some())).await;
        self.operator.as_ref().and_then(Operator::http_address).unwrap()
    }

    /// What the operator answers over HTTP.
    pub async fn http(&self, path: &str) -> (u16, String) {
        let answer = reqwest::get(format!("{}{path}", self.address().await)).await.unwrap();
        (answer.status().as_u16(), answer.text().await.unwrap())
    }

    /// The value of a metric of the operator's by its name and labels, such as `name{label="value"}`; 0 where it is absent.
    pub async fn metric(&self, series: &str) -> u64 {
        let (_, text) = self.http("/metrics").await;
        let line = text.lines().find_map(|line| line.strip_prefix(series)?.strip_prefix(' '));
        line.map_or(0, |value| value.parse().unwrap())
    }

    /// Waits until a metric has a value.
    pub async fn until_metric(&self, series: &str, value: u64) {
        self.until_metric_is(series, |now| now == value).await;
    }

    /// Waits until a metric has a value above another.
    pub async fn until_metric_exceeds(&self, series: &str, value: u64) {
        self.until_metric_is(series, |now| now > value).await;
    }

    async fn until_metric_is(&self, series: &str, is_so: impl Fn(u64) -> bool) {
        let wait = async {
            while !is_so(self.metric(series).await) {
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        };
        let in_time = tokio::time::timeout(PATIENCE, wait).await.is_ok();
        let (_, metrics) = if in_time { (200, String::new()) } else { self.http("/metrics").await };
        assert!(in_time, "{series} is not so within {PATIENCE:?}:\n{metrics}");
    }

    pub fn api<K: Driven>(&self, namespace: &str) -> Api<K> {
        Api::namespaced(self.client.clone(), namespace)
    }

    /// Applies an object from JSON, as `kubectl apply --server-side` does.
    pub async fn apply<K: Driven>(&self, namespace: &str, name: &str, spec: Value) -> K {
        let object = json!({
            "apiVersion": K::api_version(&()), "kind": K::kind(&()),
            "metadata": {"namespace": namespace, "name": name}, "spec": spec,
        });
        self.api(namespace).patch(name, &PatchParams::apply("e2e").force(), &Patch::Apply(&object)).await.unwrap()
    }

    /// Changes part of a spec.
    pub async fn change<K: Driven>(&self, namespace: &str, name: &str, spec: Value) -> K {
        let patch = Patch::Merge(json!({"spec": spec}));
        self.api(namespace).patch(name, &PatchParams::default(), &patch).await.unwrap()
    }

    pub async fn delete<K: Driven>(&self, namespace: &str, name: &str) {
        self.api::<K>(namespace).delete(name, &DeleteParams::default()).await.unwrap();
    }

    /// Waits until the object is so.
    pub async fn until<K: Driven>(
        &self,
        namespace: &str,
        name: &str,
        what: &str,
        is_so: impl Fn(&K) -> bool + Send,
    ) -> K {
        let api: Api<K> = self.api(namespace);
        let wait = await_condition(api.clone(), name, |object: Option<&K>| object.is_some_and(&is_so));
        match tokio::time::timeout(PATIENCE, wait).await {
            Ok(Ok(Some(object))) => object,
            Ok(Ok(None)) => panic!("{namespace}/{name} is gone, and should be {what}"),
            Ok(Err(error)) => panic!("watching {namespace}/{name}: {error}"),
            Err(_) => {
                let object = serde_json::to_string_pretty(&api.get_opt(name).await.unwrap()).unwrap();
                panic!(
                    "{namespace}/{name} is not {what} within {PATIENCE:?}: {object}\nthe log ends:\n{}",
                    self.tail()
                );
            }
        }
    }

    pub async fn until_ready<K: Driven>(&self, namespace: &str, name: &str) -> K {
        self.until(namespace, name, "Ready", is_ready).await
    }

    pub async fn until_gone<K: Driven>(&self, namespace: &str, name: &str) {
        let api: Api<K> = self.api(namespace);
        let wait = await_condition(api.clone(), name, |object: Option<&K>| object.is_none());
        if tokio::time::timeout(PATIENCE, wait).await.is_err() {
            let object = serde_json::to_string_pretty(&api.get_opt(name).await.unwrap()).unwrap();
            panic!("{namespace}/{name} is not gone within {PATIENCE:?}: {object}\nthe log ends:\n{}", self.tail());
        }
    }

    /// Waits until something outside the cluster is so.
    pub async fn eventually(&self, what: &str, is_so: impl Fn() -> bool) {
        let wait = async {
            while !is_so() {
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        };
        let in_time = tokio::time::timeout(PATIENCE, wait).await.is_ok();
        assert!(in_time, "not {what} within {PATIENCE:?}; the log ends:\n{}", self.tail());
    }

    /// A hub that allows projects of namespaces with the label `foundry: allowed`.
    pub async fn apply_hub(&self, name: &str) -> FoundryHub {
        self.apply(&self.platform, name, hub_spec(&self.unique(name))).await
    }

    pub async fn ready_hub(&self, name: &str) -> FoundryHub {
        self.apply_hub(name).await;
        self.until_ready(&self.platform, name).await
    }

    pub fn project_spec(&self, hub: &str) -> Value {
        json!({"hubRef": {"name": hub, "namespace": self.platform}, "friendlyName": "Churn", "tags": {"team": "churn"}})
    }

    pub async fn apply_project(&self, name: &str, hub: &str) -> FoundryProject {
        self.apply(&self.team, name, self.project_spec(hub)).await
    }

    pub async fn ready_project(&self, name: &str, hub: &str) -> FoundryProject {
        self.apply_project(name, hub).await;
        self.until_ready(&self.team, name).await
    }

    /// A connection of project `churn`, whose key comes from the key `key` of the Secret `aoai`.
    pub async fn apply_keyed_connection(&self, name: &str) {
        let spec = json!({
            "projectRef": {"name": "churn"}, "category": "AzureOpenAI", "target": "https://a", "authType": "ApiKey",
            "credentials": {"key": from_secret("aoai", "key")},
        });
        self.apply::<FoundryConnection>(&self.team, name, spec).await;
    }

    /// Connection `aoai`, then project `churn`, then hub `contoso`, each when the one before is gone.
    pub async fn delete_the_usual_three(&self) {
        self.delete::<FoundryConnection>(&self.team, "aoai").await;
        self.until_gone::<FoundryConnection>(&self.team, "aoai").await;
        self.delete::<FoundryProject>(&self.team, "churn").await;
        self.until_gone::<FoundryProject>(&self.team, "churn").await;
        self.delete::<FoundryHub>(&self.platform, "contoso").await;
        self.until_gone::<FoundryHub>(&self.platform, "contoso").await;
    }

    /// A hub `contoso` that cannot be made, and the message of its condition. The operator goes on running.
    pub async fn failing_hub(&self, reason: &str) -> String {
        self.apply_hub("contoso").await;
        let failed = |hub: &FoundryHub| says(hub, ConditionType::Ready, "False", reason);
        let hub = self.until(&self.platform, "contoso", reason, failed).await;
        assert!(self.is_running(), "the operator has ended:\n{}", self.tail());
        hub.engine().conditions[0].message.clone()
    }

    /// The ARM id of a workspace with a name of this scene's.
    pub fn workspace_id(&self, name: &str) -> String {
        let name = self.unique(name);
        format!(
            "/subscriptions/{SUBSCRIPTION}/resourceGroups/rg-ai/providers/Microsoft.MachineLearningServices/workspaces/{name}"
        )
    }

    /// A hub `contoso` that somebody else made, as [`hub_spec`] would have it but for its description.
    pub fn put_hub(&self, tags: &Value) -> String {
        let id = self.workspace_id("contoso");
        let spec = hub_spec(&self.unique("contoso"));
        let hub = json!({
            "kind": "Hub", "location": "westeurope", "tags": tags, "identity": {"type": "SystemAssigned"},
            "properties": {
                "storageAccount": spec["storageAccount"]["resourceId"],
                "keyVault": spec["keyVault"]["resourceId"],
                "description": "theirs",
            },
        });
        self.azure.put_resource(&id, &hub).unwrap();
        id
    }

    /// As somebody does who has lost patience.
    pub async fn remove_finalizers<K: Driven>(&self, namespace: &str, name: &str) {
        let patch = Patch::Merge(json!({"metadata": {"finalizers": null}}));
        self.api::<K>(namespace).patch(name, &PatchParams::default(), &patch).await.unwrap();
    }

    /// Names differ between tests so that a log line or a failure names its test's resource.
    pub fn unique(&self, name: &str) -> String {
        format!("{name}-{}", self.platform.trim_start_matches("e2e-"))
    }

    pub async fn apply_secret(&self, namespace: &str, name: &str, data: &[(&str, &str)]) {
        let data: Value =
            data.iter().map(|(key, value)| ((*key).to_owned(), json!(value))).collect::<serde_json::Map<_, _>>().into();
        let secret = json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": name}, "stringData": data});
        let api: Api<Secret> = Api::namespaced(self.client.clone(), namespace);
        api.patch(name, &PatchParams::apply("e2e").force(), &Patch::Apply(&secret)).await.unwrap();
    }

    pub async fn delete_secret(&self, namespace: &str, name: &str) {
        let api: Api<Secret> = Api::namespaced(self.client.clone(), namespace);
        api.delete(name, &DeleteParams::default()).await.unwrap();
    }

    pub async fn annotate<K: Driven>(&self, namespace: &str, name: &str, annotation: &str, value: &str) {
        let patch = Patch::Merge(json!({"metadata": {"annotations": {annotation: value}}}));
        self.api::<K>(namespace).patch(name, &PatchParams::default(), &patch).await.unwrap();
    }

    /// What the operator signs in to Kubernetes with.
    pub fn operator_token(&self) -> String {
        let kubeconfig = Kubeconfig::read_from(self.folder.path().join("operator.kubeconfig")).unwrap();
        let token = kubeconfig.auth_infos[0].auth_info.as_ref().unwrap().token.clone().unwrap();
        secrecy::ExposeSecret::expose_secret(&token).to_owned()
    }

    pub async fn label_namespace(&self, namespace: &str, label: &str, value: Option<&str>) {
        let patch = Patch::Merge(json!({"metadata": {"labels": {label: value}}}));
        let api: Api<Namespace> = Api::all(self.client.clone());
        api.patch(namespace, &PatchParams::default(), &patch).await.unwrap();
    }

    /// Events about an object, as `reason: note`.
    pub async fn events(&self, namespace: &str, name: &str) -> Vec<String> {
        let api: Api<Event> = Api::namespaced(self.client.clone(), namespace);
        let events = api.list(&ListParams::default()).await.unwrap();
        let about =
            events.into_iter().filter(|event| event.regarding.as_ref().and_then(|r| r.name.as_deref()) == Some(name));
        about.map(|event| format!("{}: {}", event.reason.unwrap_or_default(), event.note.unwrap_or_default())).collect()
    }

    /// Calls to ARM whose path contains `path`, without sign-in.
    pub fn calls(&self, method: &str, path: &str) -> Vec<JournalEntry> {
        let calls = self.azure.journal_matching(method, path);
        calls.into_iter().filter(|call| !call.path.ends_with("/token")).collect()
    }

    /// Calls to ARM that write.
    pub fn writes(&self) -> Vec<JournalEntry> {
        ["PUT", "PATCH", "POST", "DELETE"].iter().flat_map(|method| self.calls(method, "")).collect()
    }

    fn tail(&self) -> String {
        let log = self.log();
        let lines: Vec<&str> = log.lines().filter(|line| !line.contains("planned")).collect();
        lines[lines.len().saturating_sub(40)..].join("\n")
    }
}

/// No test ends with a body that Azure's own schemas refuse, whatever else it looked at. A test that is about such a body
/// gives its Azure no schemas.
impl Drop for Scene {
    fn drop(&mut self) {
        let violations = self.azure.schema_violations();
        assert!(
            violations.is_empty() || std::thread::panicking(),
            "the official schemas refuse what the operator sent: {violations:#?}"
        );
    }
}

/// An Azure that does everything quickly and refuses nobody for calling often.
pub fn quick_azure() -> Config {
    let settings = AzureSettings { timings: Timings::all(AZURE_TAKES), ..AzureSettings::default() };
    Config { settings, limits: Limits::generous(), ..Config::default() }
}

/// The least that a hub needs, and consent to namespaces with the label `foundry: allowed`.
pub fn hub_spec(azure_name: &str) -> Value {
    let provider = format!("/subscriptions/{SUBSCRIPTION}/resourceGroups/rg-ai/providers");
    json!({
        "azureName": azure_name,
        "subscriptionId": SUBSCRIPTION,
        "resourceGroup": "rg-ai",
        "location": "westeurope",
        "storageAccount": {"resourceId": format!("{provider}/Microsoft.Storage/storageAccounts/st{}", azure_name.replace('-', ""))},
        "keyVault": {"resourceId": format!("{provider}/Microsoft.KeyVault/vaults/kv-contoso")},
        "allowedProjects": {"namespaces": {"from": "Selector", "selector": {"matchLabels": {"foundry": "allowed"}}}},
    })
}

/// A secret field of a connection.
pub fn from_secret(name: &str, key: &str) -> Value {
    json!({"valueFrom": {"secretKeyRef": {"name": name, "key": key}}})
}
