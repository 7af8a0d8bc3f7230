//! Faults that hit every object of an operator at once: ARM is down, or nobody can sign in.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use arm_emulator::{Fault, FaultRule, Moment};
use foundry_operator::api::conditions::ConditionType;
use foundry_operator::api::{FoundryConnection, FoundryHub, FoundryProject};
use kube::api::{Patch, PatchParams};
use serde_json::{Value, json};

use crate::harness::{Driven, Scene, condition, is_ready};
use crate::report::Outcome;
use crate::subject::Subject;

const GROUP: &str = "everybody at once";
/// How long anything may take.
const PATIENCE: Duration = Duration::from_secs(100);

fn answer(status: u16, body: Value) -> Fault {
    Fault::Answer { status, headers: BTreeMap::new(), body }
}

fn error(status: u16, code: &str) -> Fault {
    answer(status, json!({"error": {"code": code, "message": "no"}}))
}

/// What is wrong with ARM, or with signing in, and the reason that every object has to tell.
fn of_arm() -> Vec<(&'static str, Fault, &'static str)> {
    vec![
        ("500", error(500, "InternalServerError"), "AzureUnavailable"),
        ("503 of a proxy", Fault::Html { status: 503, page: "<html></html>".to_owned() }, "AzureUnavailable"),
        ("429", error(429, "TooManyRequests"), "Throttled"),
        ("401", error(401, "InvalidAuthenticationToken"), "SignInFailed"),
        ("403", error(403, "AuthorizationFailed"), "Forbidden"),
        ("drop before", Fault::DropConnection(Moment::Before), "AzureUnavailable"),
    ]
}

fn of_sign_in() -> Vec<(&'static str, Fault)> {
    let refused = json!({"error": "invalid_client", "error_description": "AADSTS700016: no such application"});
    vec![
        ("400", answer(400, refused.clone())),
        ("401", answer(401, refused)),
        ("429", answer(429, json!({"error": "temporarily_unavailable"}))),
        ("500", answer(500, Value::Null)),
        ("503 of a proxy", Fault::Html { status: 503, page: "<html></html>".to_owned() }),
        ("not JSON", Fault::Html { status: 200, page: "<html></html>".to_owned() }),
        ("drop before", Fault::DropConnection(Moment::Before)),
        ("drop after", Fault::DropConnection(Moment::After)),
        ("truncated", Fault::TruncateAfter(20)),
    ]
}

/// Runs the cases whose name contains `filter`.
pub async fn run(filter: &str) -> Vec<Outcome> {
    let mut outcomes = Vec::new();
    let (arm, sign_in) = tokio::join!(arm_fails(filter), sign_in_fails(filter));
    outcomes.extend(arm);
    outcomes.extend(sign_in);
    outcomes
}

/// A hub, a project and a connection of each live and die while ARM fails at every call.
async fn arm_fails(filter: &str) -> Vec<Outcome> {
    let mut outcomes = Vec::new();
    let mut scene = None;
    for (number, (what, fault, reason)) in of_arm().into_iter().enumerate() {
        let name = format!("everybody, each call to ARM: {what}");
        if !name.contains(filter) {
            continue;
        }
        let scene = match &mut scene {
            Some(scene) => scene,
            none => none.insert(Scene::new().await),
        };
        let failed = everybody(scene, number, &fault, reason).await.err();
        outcomes.push(Outcome::new(GROUP.to_owned(), name, failed));
    }
    outcomes
}

async fn everybody(scene: &Scene, number: usize, fault: &Fault, reason: &str) -> Result<(), String> {
    let name = format!("all-{number}");
    let (platform, team) = (&scene.platform, &scene.team);
    let breaks = || scene.azure.add_fault(FaultRule::new("", "/subscriptions/", fault.clone()));
    scene.apply_secret(platform, "key", &[("key", "k")]).await;
    scene.apply_secret(team, "key", &[("key", "k")]).await;

    // Whoever can be made is held up, and the rest waits for it.
    let rule = breaks();
    scene.apply_hub(&name).await;
    scene.apply_project(&name, &name).await;
    for (subject, namespace, parent) in
        [(Subject::ConnectionOfHub, platform, "hubRef"), (Subject::ConnectionOfProject, team, "projectRef")]
    {
        let mut spec = subject.object(scene, &name)["spec"].clone();
        spec[parent] = json!({"name": name});
        scene.apply::<FoundryConnection>(namespace, &name, spec).await;
    }
    let told = until::<FoundryHub>(scene, platform, &name, reason).await;
    scene.azure.remove_fault(rule);
    told?;
    all_well(scene, &name).await?;

    // All of them are held up in being changed.
    let rule = breaks();
    let change = json!({"description": "Another"});
    scene.change::<FoundryHub>(platform, &name, change.clone()).await;
    scene.change::<FoundryProject>(team, &name, change).await;
    for namespace in [platform, team] {
        scene.change::<FoundryConnection>(namespace, &name, json!({"target": "https://c.openai.azure.com"})).await;
    }
    let told = tell_all(scene, &name, reason).await;
    scene.azure.remove_fault(rule);
    told?;
    all_well(scene, &name).await?;

    // And in being deleted; the hub waits for the others.
    let rule = breaks();
    scene.delete::<FoundryConnection>(team, &name).await;
    scene.delete::<FoundryConnection>(platform, &name).await;
    scene.delete::<FoundryProject>(team, &name).await;
    scene.delete::<FoundryHub>(platform, &name).await;
    let told = tell_all_but_the_hub(scene, &name, reason).await;
    scene.azure.remove_fault(rule);
    told?;
    gone::<FoundryConnection>(scene, team, &name).await?;
    gone::<FoundryConnection>(scene, platform, &name).await?;
    gone::<FoundryProject>(scene, team, &name).await?;
    gone::<FoundryHub>(scene, platform, &name).await?;
    let left = scene.azure.resources();
    if left.is_empty() { Ok(()) } else { Err(format!("Azure still has {left:#?}")) }
}

async fn tell_all(scene: &Scene, name: &str, reason: &str) -> Result<(), String> {
    until::<FoundryHub>(scene, &scene.platform, name, reason).await?;
    tell_all_but_the_hub(scene, name, reason).await
}

async fn tell_all_but_the_hub(scene: &Scene, name: &str, reason: &str) -> Result<(), String> {
    until::<FoundryProject>(scene, &scene.team, name, reason).await?;
    until::<FoundryConnection>(scene, &scene.team, name, reason).await?;
    until::<FoundryConnection>(scene, &scene.platform, name, reason).await
}

async fn all_well(scene: &Scene, name: &str) -> Result<(), String> {
    well::<FoundryHub>(scene, &scene.platform, name).await?;
    well::<FoundryProject>(scene, &scene.team, name).await?;
    well::<FoundryConnection>(scene, &scene.team, name).await?;
    well::<FoundryConnection>(scene, &scene.platform, name).await
}

async fn well<K: Driven>(scene: &Scene, namespace: &str, name: &str) -> Result<(), String> {
    waited(scene, namespace, name, "Ready", true, |object: Option<&K>| object.is_some_and(is_ready)).await
}

async fn gone<K: Driven>(scene: &Scene, namespace: &str, name: &str) -> Result<(), String> {
    waited(scene, namespace, name, "gone", true, |object: Option<&K>| object.is_none()).await
}

/// Waits until the object tells why it is held up.
async fn until<K: Driven>(scene: &Scene, namespace: &str, name: &str, reason: &str) -> Result<(), String> {
    let tells = |object: Option<&K>| object.is_some_and(|it| condition(it, ConditionType::Synced).1 == reason);
    waited(scene, namespace, name, reason, false, tells).await
}

/// Waits; where it `asks`, for another try from time to time, since some failures are waited out for long.
async fn waited<K: Driven>(
    scene: &Scene,
    namespace: &str,
    name: &str,
    what: &str,
    asks: bool,
    is_so: impl Fn(Option<&K>) -> bool,
) -> Result<(), String> {
    let (begun, mut asked) = (Instant::now(), Instant::now());
    loop {
        let object = scene.api::<K>(namespace).get_opt(name).await.map_err(|error| error.to_string())?;
        if is_so(object.as_ref()) {
            return Ok(());
        }
        if begun.elapsed() > PATIENCE {
            let conditions = object.map(|object| object.engine().conditions);
            return Err(format!("{} {name} is not {what} within {PATIENCE:?}: {conditions:#?}", K::kind(&())));
        }
        if asks && object.is_some() && asked.elapsed() > Duration::from_secs(3) {
            asked = Instant::now();
            let when = format!("{:?}", begun.elapsed());
            let patch = Patch::Merge(json!({"metadata": {"annotations": {"foundryoperator.dev/reconcile-at": when}}}));
            // It may be gone by now.
            let _ = scene.api::<K>(namespace).patch(name, &PatchParams::default(), &patch).await;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
}

/// The operator starts, and cannot sign in at first.
async fn sign_in_fails(filter: &str) -> Vec<Outcome> {
    let mut outcomes = Vec::new();
    let mut scene = None;
    for (number, (what, fault)) in of_sign_in().into_iter().enumerate() {
        let name = format!("everybody, signing in: {what}");
        if !name.contains(filter) {
            continue;
        }
        let scene: &mut Scene = match &mut scene {
            Some(scene) => scene,
            none => none.insert(Scene::new().await),
        };
        outcomes.push(Outcome::new(GROUP.to_owned(), name, cannot_sign_in(scene, number, fault).await.err()));
    }
    outcomes
}

async fn cannot_sign_in(scene: &mut Scene, number: usize, fault: Fault) -> Result<(), String> {
    let name = format!("signs-in-{number}");
    let rule = scene.azure.add_fault(FaultRule::new("POST", "/oauth2/v2.0/token", fault));
    // A token that it has already would do.
    scene.crash_operator();
    scene.apply_hub(&name).await;
    let told = until::<FoundryHub>(scene, &scene.platform, &name, "SignInFailed").await;
    scene.azure.remove_fault(rule);
    told?;
    // By itself, and soon: signing in is not a lasting failure.
    let ready = |object: Option<&FoundryHub>| object.is_some_and(is_ready);
    waited(scene, &scene.platform, &name, "Ready", false, ready).await
}
