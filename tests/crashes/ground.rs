//! A scene in which objects live, behind doors at which the operator is stopped.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use arm_emulator::{Config, JournalEntry};
use axum::body::Bytes;
use axum::http;
use foundry_operator::api::{FoundryHub, RECONCILE_AT};
use kube::api::{ApiResource, DeleteParams, DynamicObject, Patch, PatchParams};
use kube::{Api, ResourceExt as _};
use serde_json::{Value, json};
use stage::Azure;
use tempfile::TempDir;

use crate::blank::{OF_AZURE, blank};
use crate::border::{Before, Border, Call, Disturbance, Side};
use crate::door::{Certificate, Door};
use crate::harness::{Scene, Setting, cluster, hub_spec, quick_azure};
use crate::life::{PARENT, Step, Subject};

const FLAGS: [&str; 4] = ["--poll-interval", "100ms", "--log-level", "debug"];
/// How long a step may take, a crash and what is waited for after it included.
const PATIENCE: Duration = Duration::from_secs(100);
/// For how long nothing has to happen at the end of a step.
const QUIET: Duration = Duration::from_millis(500);
/// What the status has of times, ids and versions.
const OF_STATUS: [&str; 4] = ["createdAt", "hash", "lastTransitionTime", "secrets"];

pub struct Ground {
    pub scene: Scene,
    border: Arc<Border>,
    doors: [Door; 2],
    /// The ARM id of the project that connections stand on.
    project: String,
    /// After how many calls of the last step the operator was killed.
    stopped_after: Option<usize>,
    _folder: TempDir,
}

/// A step that came to its end.
#[derive(Clone, Debug)]
pub struct Taken {
    /// The calls about the object.
    pub calls: Vec<Call>,
    /// Whether it met what was to disturb it.
    pub disturbed: bool,
    pub end: End,
    /// How many writes to Azure took effect, by method and path.
    pub writes: BTreeMap<String, usize>,
    /// Whether a look at the resource came after a write, and could have been old.
    pub could_read_old: bool,
}

/// What there is at the end of a step, but for what differs from one life to the next.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct End {
    pub finalizers: Vec<String>,
    pub status: Value,
    pub in_azure: Vec<Value>,
}

impl End {
    pub fn as_json(&self) -> Value {
        json!({"finalizers": self.finalizers, "status": self.status, "azure": self.in_azure})
    }
}

impl Ground {
    pub async fn new() -> Self {
        let mut azure = quick_azure();
        // So that an undisturbed step makes the same calls each time, however fast the machine is.
        azure.settings.polls_to_end = Some(2);
        let azure = Azure::start(cluster(), Config { journal_capacity: 1_000_000, ..azure }).await.unwrap();
        let (border, certificate) = (Arc::new(Border::new()), Certificate::new());
        let control_plane = cluster().control_plane();
        let open = |side, behind: &str, ca: &str| {
            let (behind, ca) = (behind.to_owned(), ca.to_owned());
            let (border, certificate) = (Arc::clone(&border), &certificate);
            async move { Door::open(side, &behind, &ca, certificate, border).await }
        };
        let doors = [
            open(Side::Kubernetes, control_plane.server(), control_plane.ca_pem()).await,
            open(Side::Azure, azure.endpoint(), azure.ca_pem()).await,
        ];
        let folder = TempDir::new().unwrap();
        let place = |name: &str, text: &str| {
            let file = folder.path().join(name);
            std::fs::write(&file, text).unwrap();
            file.display().to_string()
        };
        let ca = place("door.pem", &certificate.pem);
        let kubeconfig = place("kubeconfig", &kubeconfig(&doors[0].endpoint, &ca).to_string());
        let bundle = place("bundle.pem", &format!("{}\n{}", certificate.pem, azure.ca_pem()));
        let environment = vec![
            ("KUBECONFIG", kubeconfig),
            ("FOUNDRY_CA_BUNDLE", bundle),
            ("FOUNDRY_ARM_ENDPOINT", doors[1].endpoint.clone()),
            ("FOUNDRY_ARM_AUDIENCE", azure.endpoint().to_owned()),
        ];
        let setting = Setting { flags: FLAGS.to_vec(), environment, ..Setting::default() };
        let scene = Scene::beside(azure, setting).await;
        let mut hub = hub_spec(&scene.unique(PARENT));
        hub["allowedProjects"]["adoption"] = json!("Allowed");
        scene.apply::<FoundryHub>(&scene.platform, PARENT, hub).await;
        scene.until_ready::<FoundryHub>(&scene.platform, PARENT).await;
        let project = scene.ready_project(PARENT, PARENT).await.status.unwrap().engine.resource_id.unwrap();
        Self { scene, border, doors, project, stopped_after: None, _folder: folder }
    }

    /// Takes a step, disturbed or not, and waits for its end.
    pub async fn take(
        &mut self,
        subject: Subject,
        name: &str,
        step: Step,
        disturbance: Option<&Disturbance>,
    ) -> Result<Taken, String> {
        let calls_before = self.scene.azure.journal_about(name).len();
        self.border.follow(name, disturbance.cloned(), self.before(subject, name).await?);
        let rotated = self.begin(subject, name, step).await?;
        let begun = Instant::now();
        self.stopped_after = None;
        let object = loop {
            tokio::select! {
                () = self.border.caught() => {
                    if step == Step::Abandon {
                        // The operator is held, and does not notice.
                        self.delete(subject, name).await?;
                    }
                    tokio::task::block_in_place(|| self.scene.crash_operator());
                    self.stopped_after = Some(self.border.passed().len());
                    continue;
                }
                () = tokio::time::sleep(Duration::from_millis(50)) => {}
            }
            if self.border.is_quiet_for(QUIET) {
                let object = self.api(subject).get_opt(name).await.map_err(|error| error.to_string())?;
                // What was so before the crash proves nothing: who was started again has to have looked.
                let looked = self.stopped_after.is_none_or(|calls| self.looked_since(calls));
                // Who is to be abandoned, and was not, goes on.
                let stays = !step.ends_the_object() || (step == Step::Abandon && self.stopped_after.is_none());
                match object {
                    None if !stays => break None,
                    Some(object) if stays && looked && is_well(&object, rotated.as_deref()) => break Some(object),
                    _ => {}
                }
                if matches!(disturbance, Some(Disturbance::OldReads(Side::Azure))) {
                    // Who was shown what is not so any more waits long before the next look, unless it is asked.
                    self.ask(subject, name, begun.elapsed()).await;
                }
                if self.stopped_after.is_some() && looked {
                    // Operations end without anybody asking for them.
                    self.scene.azure.finish_operations(name);
                }
                if begun.elapsed() > PATIENCE {
                    let object = object_text(&self.api(subject).get_opt(name).await);
                    return Err(format!("did not end within {PATIENCE:?}: {object}"));
                }
            }
        };
        // Who lets a resource go does not wait for what Azure still does to it.
        self.scene.azure.finish_operations(name);
        let mut journal = self.scene.azure.journal_about(name);
        journal.drain(..calls_before);
        Ok(Taken {
            calls: self.border.passed(),
            disturbed: self.border.was_disturbed(),
            end: self.end(subject, name, object.as_ref()),
            writes: effective_writes(&journal, name),
            could_read_old: self.border.could_read_old(),
        })
    }

    /// What the API server has now.
    async fn before(&self, subject: Subject, name: &str) -> Result<Before, String> {
        let ApiResource { group, version, plural, .. } = subject.resource();
        let list_path = format!("/apis/{group}/{version}/namespaces/{}/{plural}", subject.namespace(&self.scene));
        let list = self.text(&list_path).await.map_err(|error| error.to_string())?;
        let object = self.text(&format!("{list_path}/{name}")).await.ok();
        Ok(Before { name: name.to_owned(), list_path, list: Some(list), object })
    }

    async fn text(&self, path: &str) -> kube::Result<Bytes> {
        let request = http::Request::get(path).body(Vec::new()).map_err(kube::Error::HttpError)?;
        self.scene.client.request_text(request).await.map(Bytes::from)
    }

    /// Asks for another look at the object.
    async fn ask(&self, subject: Subject, name: &str, time: Duration) {
        let asked = json!({"metadata": {"annotations": {RECONCILE_AT: time.as_millis().to_string()}}});
        let _ = self.api(subject).patch(name, &PatchParams::default(), &Patch::Merge(&asked)).await;
    }

    /// The calls of the last step, for people.
    pub fn story(&self) -> String {
        let calls = self.border.passed().into_iter().enumerate().map(|(place, call)| {
            let crash = if self.stopped_after == Some(place) { "    --- killed and started again ---\n" } else { "" };
            format!("{crash}    {call}")
        });
        calls.collect::<Vec<_>>().join("\n")
    }

    /// Begins a step; gives the version of the Secret that is to arrive in Azure, where that is the step.
    async fn begin(&self, subject: Subject, name: &str, step: Step) -> Result<Option<String>, String> {
        let (scene, api) = (&self.scene, self.api(subject));
        let namespace = subject.namespace(scene);
        let mut object = subject.object(scene, name);
        if subject.is_connection() && matches!(step, Step::Create | Step::Adopt | Step::Abandon) {
            scene.apply_secret(namespace, name, &[("key", "k-1")]).await;
        }
        let begun = match step {
            Step::Create | Step::Abandon => {
                api.patch(name, &PatchParams::apply("crashes"), &Patch::Apply(object)).await.map(|_| ())
            }
            Step::Adopt => {
                for (id, resource) in subject.of_others(scene, &self.project, name) {
                    scene.azure.put_resource(&id, &resource).map_err(|error| error.to_string())?;
                }
                object["spec"]["adoptionPolicy"] = json!("Adopt");
                object["spec"]["deletionPolicy"] = json!("Orphan");
                api.patch(name, &PatchParams::apply("crashes"), &Patch::Apply(object)).await.map(|_| ())
            }
            Step::Update => {
                let change = Patch::Merge(json!({"spec": subject.change()}));
                api.patch(name, &PatchParams::default(), &change).await.map(|_| ())
            }
            Step::Rotate => {
                scene.apply_secret(namespace, name, &[("key", "k-2")]).await;
                let secrets: Api<k8s_openapi::api::core::v1::Secret> = Api::namespaced(scene.client.clone(), namespace);
                let secret = secrets.get(name).await.map_err(|error| error.to_string())?;
                return Ok(secret.resource_version());
            }
            Step::Delete | Step::Orphan => return self.delete(subject, name).await.map(|()| None),
        };
        begun.map(|()| None).map_err(|error| format!("the API server: {error}"))
    }

    async fn delete(&self, subject: Subject, name: &str) -> Result<(), String> {
        let deleted = self.api(subject).delete(name, &DeleteParams::default()).await;
        deleted.map(|_| ()).map_err(|error| format!("the API server: {error}"))
    }

    /// Takes away what a life has left.
    pub async fn clear(&mut self, subject: Subject, name: &str) {
        let _ = self.take(subject, name, Step::Delete, None).await;
        let _ = self.scene.azure.remove_resource(&subject.id(&self.scene, &self.project, name));
        if subject.is_connection() {
            self.scene.delete_secret(subject.namespace(&self.scene), name).await;
        }
    }

    fn api(&self, subject: Subject) -> Api<DynamicObject> {
        Api::namespaced_with(self.scene.client.clone(), subject.namespace(&self.scene), &subject.resource())
    }

    fn looked_since(&self, calls: usize) -> bool {
        self.border.passed()[calls..].iter().any(|call| call.side == Side::Azure)
    }

    fn end(&self, subject: Subject, name: &str, object: Option<&DynamicObject>) -> End {
        let scene = &self.scene;
        let mut status = object.map(|object| object.data["status"].clone()).unwrap_or_default();
        let workspace = status["workspaceId"].as_str().unwrap_or("no workspace").to_owned();
        // The storage account of a hub has its name without the hyphens.
        let short = |name: &str| name.replace('-', "");
        let (hub, project) = (scene.unique(PARENT), self.project.rsplit('/').next().unwrap_or_default());
        let names = [
            (name, "NAME"),
            (&short(name), "NAME"),
            (&workspace, "WORKSPACE"),
            (&hub, "HUB"),
            (&short(&hub), "HUB"),
            (project, "PROJECT"),
            (&scene.platform, "PLATFORM"),
            (&scene.team, "TEAM"),
            (&self.doors[1].endpoint, "ARM"),
            (scene.azure.endpoint(), "ARM"),
        ];
        blank(&mut status, &[OF_AZURE.as_slice(), &OF_STATUS].concat(), &names);
        let about = |resource: &Value| resource["id"].as_str().is_some_and(|id| id.contains(name));
        let mut in_azure: Vec<Value> = scene.azure.resources().into_iter().filter(about).collect();
        for resource in &mut in_azure {
            blank(resource, &OF_AZURE, &names);
        }
        in_azure.extend(scene.azure.connection_credentials(&subject.id(scene, &self.project, name)));
        End { finalizers: object.map(|object| object.finalizers().to_vec()).unwrap_or_default(), status, in_azure }
    }
}

/// JSON is YAML too.
fn kubeconfig(server: &str, ca: &str) -> Value {
    json!({
        "apiVersion": "v1", "kind": "Config", "current-context": "door",
        "clusters": [{"name": "door", "cluster": {"server": server, "certificate-authority": ca}}],
        "users": [{"name": "operator", "user": {"token": cluster().operator_token(None).unwrap()}}],
        "contexts": [{"name": "door", "context": {"cluster": "door", "user": "operator"}}],
    })
}

/// Whether the object is Ready for the spec that it has, with this version of its Secret.
fn is_well(object: &DynamicObject, secret: Option<&str>) -> bool {
    let status = &object.data["status"];
    let conditions = status["conditions"].as_array().cloned().unwrap_or_default();
    let is_true = |type_: &str| conditions.iter().any(|is| is["type"] == type_ && is["status"] == "True");
    let applied = status["resources"][0]["applied"]["secrets"].to_string();
    status["observedGeneration"].as_i64() == object.metadata.generation
        && is_true("Ready")
        && is_true("Synced")
        && status["operation"].is_null()
        && secret.is_none_or(|version| applied.contains(version))
}

fn effective_writes(journal: &[JournalEntry], name: &str) -> BTreeMap<String, usize> {
    let mut writes = BTreeMap::new();
    for entry in journal.iter().filter(|entry| entry.method != "GET" && (200..300).contains(&entry.status)) {
        let path = entry.path.split_once(name).map_or("", |(_, after)| after);
        let before =
            entry.path.split_once(name).and_then(|(before, _)| before.trim_end_matches('/').rsplit('/').next());
        *writes.entry(format!("{} {}/*{path}", entry.method, before.unwrap_or_default())).or_default() += 1;
    }
    writes
}

fn object_text(object: &kube::Result<Option<DynamicObject>>) -> String {
    match object {
        Ok(object) => serde_json::to_string_pretty(object).unwrap_or_default(),
        Err(error) => error.to_string(),
    }
}
