//! A scene in which objects of one kind live, step by step.

use std::time::{Duration, Instant};

use arm_emulator::{Config, ConflictScope, JournalEntry};
use kube::Api;
use kube::api::{DeleteParams, DynamicObject, Patch, PatchParams};
use serde_json::{Value, json};

use crate::blank::{OF_AZURE, blank};
use crate::harness::{Scene, Setting, quick_azure};
use crate::history::{Histories, Seen};
use crate::subject::{Step, Subject, hub_of};
use crate::trouble::{Effect, End};

const FLAGS: [&str; 4] = ["--poll-interval", "300ms", "--log-level", "debug"];
/// How long a step may take.
const PATIENCE: Duration = Duration::from_secs(100);
/// How long the operator is given for a step before it is asked to try again.
const NUDGE: Duration = Duration::from_millis(1500);
/// For how long nothing has to happen, after the operator was asked, before the next step begins.
const QUIET: Duration = Duration::from_millis(1500);

pub struct Ground {
    pub subject: Subject,
    pub scene: Scene,
    api: Api<DynamicObject>,
    parent: String,
    histories: Histories,
}

/// A step that came to its end.
pub struct Taken {
    pub seen: Vec<Seen>,
    /// The calls about the resource, in order.
    pub calls: Vec<JournalEntry>,
}

impl Taken {
    /// What happened, for people.
    pub fn story(&self) -> String {
        let calls = self.calls.iter().map(|call| {
            let path = call.operation_on.as_ref().map_or(call.path.as_str(), |_| "(poll)");
            let tail = path.rsplit('/').next().unwrap_or_default();
            let fault = call.fault.as_deref().unwrap_or_default();
            (call.time, format!("{} {tail} {} {fault}", call.method, call.status))
        });
        let states = self.seen.iter().map(|seen| {
            let end = if seen.gone { "gone" } else { "" };
            (seen.at, format!("    {} {end}{}", seen.synced(), if seen.ready { "ready" } else { "" }))
        });
        let mut story: Vec<_> = calls.chain(states).collect();
        story.sort_by_key(|(at, _)| *at);
        let lines: Vec<String> =
            story.iter().map(|(at, what)| format!("  {} {what}", at.strftime("%M:%S%.3f"))).collect();
        lines.join("\n")
    }
}

impl Ground {
    pub async fn new(subject: Subject) -> Self {
        let mut azure = quick_azure();
        // So that an undisturbed step makes the same calls each time, however fast the machine is.
        azure.settings.polls_to_end = Some(2);
        // Projects of one hub do not hold each other up, and a connection that breaks is that of one call.
        azure.settings.conflict_scope = ConflictScope::Workspace;
        let azure = Config { http2: false, journal_capacity: 1_000_000, ..azure };
        let scene = Scene::with(Setting { azure: Some(azure), flags: FLAGS.to_vec(), ..Setting::default() }).await;
        let parent = subject.stand(&scene).await;
        let api: Api<DynamicObject> =
            Api::namespaced_with(scene.client.clone(), subject.namespace(&scene), &subject.resource());
        Self { subject, histories: Histories::begin(api.clone()), scene, api, parent }
    }

    /// The ARM id of the resource of an object.
    pub fn id(&self, name: &str) -> String {
        format!("{}/{name}", self.parent)
    }

    /// Takes a step and waits for its end.
    pub async fn take(&self, name: &str, step: Step, effect: &Effect) -> Result<Taken, String> {
        let known = self.histories.of(name, 0).len();
        let calls_before = self.scene.azure.journal_about(name).len();
        self.begin(name, step).await?;
        let begun = Instant::now();
        let mut asked = begun;
        let seen = loop {
            tokio::time::sleep(Duration::from_millis(40)).await;
            let seen = self.histories.of(name, known);
            let told = effect.tells.is_none_or(|reason| seen.iter().any(|seen| seen.synced() == reason));
            let stalled = effect.end != End::Stalled || seen.iter().any(Seen::is_stalled);
            if seen.last().is_some_and(|last| if step == Step::Delete { last.gone } else { last.ready }) {
                break seen;
            }
            if begun.elapsed() > PATIENCE {
                let last = seen.last().map(|last| format!("{last:?}")).unwrap_or_default();
                let story = self.taken(name, seen, calls_before).story();
                return Err(format!("did not end within {PATIENCE:?}: {last}\n{story}"));
            }
            if effect.slow && told && stalled && asked.elapsed() > NUDGE {
                asked = Instant::now();
                self.ask(name, seen.last(), begun.elapsed()).await;
            }
        };
        if asked != begun {
            self.until_quiet(name).await;
        }
        Ok(self.taken(name, seen, calls_before))
    }

    fn taken(&self, name: &str, seen: Vec<Seen>, calls_before: usize) -> Taken {
        let mut calls = self.scene.azure.journal_about(name);
        calls.drain(..calls_before);
        Taken { seen, calls }
    }

    async fn begin(&self, name: &str, step: Step) -> Result<(), String> {
        let begun = match step {
            Step::Create => {
                let object = Patch::Apply(self.subject.object(&self.scene, name));
                self.api.patch(name, &PatchParams::apply("faults"), &object).await.map(|_| ())
            }
            Step::Update => {
                let change = Patch::Merge(self.subject.change());
                self.api.patch(name, &PatchParams::default(), &change).await.map(|_| ())
            }
            Step::Delete => self.api.delete(name, &DeleteParams::default()).await.map(|_| ()),
        };
        begun.map_err(|error| format!("the API server: {error}"))
    }

    /// What the last request for another try set off is not part of the next step.
    async fn until_quiet(&self, name: &str) {
        let happened = || (self.histories.of(name, 0).len(), self.scene.azure.journal_about(name).len());
        let mut before = happened();
        loop {
            tokio::time::sleep(QUIET).await;
            let now = happened();
            if now == before {
                return;
            }
            before = now;
        }
    }

    /// Asks for another try, as a user does who has mended something, and lets end what nobody follows any more. Where the
    /// object has changed meanwhile, nothing is asked: it may be well by now.
    async fn ask(&self, name: &str, last: Option<&Seen>, when: Duration) {
        self.scene.azure.finish_operations(name);
        let annotations = json!({"foundryoperator.dev/reconcile-at": format!("{when:?}")});
        let version = last.map(|last| &last.version);
        let patch = Patch::Merge(json!({"metadata": {"resourceVersion": version, "annotations": annotations}}));
        // It may have changed, or be gone by now.
        let _ = self.api.patch(name, &PatchParams::default(), &patch).await;
    }

    /// What Azure has of an object, but for what differs from one to the next.
    pub fn in_azure(&self, name: &str) -> Vec<Value> {
        let about = |resource: &Value| resource["id"].as_str().is_some_and(|id| id.contains(name));
        let mut found: Vec<Value> = self.scene.azure.resources().into_iter().filter(about).collect();
        // The storage account of a hub has its name without the hyphens.
        let (hub, plain) = (hub_of(name), |name: &str| name.replace('-', ""));
        let names = [(name, "NAME"), (&plain(name), "NAME"), (&hub, "HUB"), (&plain(&hub), "HUB")];
        for resource in &mut found {
            blank(resource, &OF_AZURE, &names);
        }
        found.extend(self.scene.azure.connection_credentials(&self.id(name)));
        found
    }
}
