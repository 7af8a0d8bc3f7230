//! A subscription that is not registered for the resource provider.

use std::collections::BTreeMap;

use arm_emulator::{Fault, FaultRule, RegistrationState};
use foundry_operator::api::FoundryHub;
use serde_json::json;
use stage::OPERATOR_CLIENT_ID;

use crate::harness::{Driven as _, SUBSCRIPTION, Scene, Setting, hub_spec};

const NAMESPACE: &str = "Microsoft.MachineLearningServices";

fn command() -> String {
    format!("az provider register --namespace {NAMESPACE} --subscription {SUBSCRIPTION}")
}

async fn unregistered(flags: &[&'static str]) -> Scene {
    let scene = Scene::with(Setting { flags: flags.to_vec(), ..Setting::default() }).await;
    scene.azure.set_provider_state(NAMESPACE, RegistrationState::NotRegistered);
    scene
}

#[tokio::test]
async fn the_provider_is_registered_once_for_all_objects() {
    let scene = unregistered(&[]).await;
    scene.apply_hub("contoso").await;
    scene.apply::<FoundryHub>(&scene.platform, "fabrikam", hub_spec(&scene.unique("fabrikam"))).await;
    for hub in ["contoso", "fabrikam"] {
        scene.until_ready::<FoundryHub>(&scene.platform, hub).await;
    }
    assert_eq!(scene.calls("POST", "/register").len(), 1);
    let told =
        [scene.events(&scene.platform, "contoso").await, scene.events(&scene.platform, "fabrikam").await].concat();
    let registering: Vec<_> = told.iter().filter(|event| event.starts_with("RegisteringProvider:")).collect();
    assert_eq!(registering.len(), 1, "{told:?}");
    assert!(registering[0].contains(NAMESPACE) && registering[0].contains(SUBSCRIPTION), "{registering:?}");
}

#[tokio::test]
async fn while_the_provider_is_registered_the_condition_says_so() {
    let scene = unregistered(&[]).await;
    scene.azure.set_timings(arm_emulator::Timings::all(std::time::Duration::from_secs(3)));
    scene.apply_hub("contoso").await;
    let registering = |hub: &FoundryHub| {
        hub.engine().conditions.iter().any(|it| it.type_ == "Synced" && it.reason == "RegisteringProvider")
    };
    let hub = scene.until(&scene.platform, "contoso", "registering", registering).await;
    assert!(hub.engine().conditions.iter().any(|it| it.message.contains(NAMESPACE)), "{:?}", hub.engine().conditions);
    scene.until_ready::<FoundryHub>(&scene.platform, "contoso").await;
}

/// The emulator lets everybody read; whether Azure does is not known.
fn no_reads(times: u64) -> FaultRule {
    let message = format!("The subscription is not registered to use namespace '{NAMESPACE}'.");
    let body = json!({"error": {"code": "MissingSubscriptionRegistration", "message": message}});
    FaultRule::new("GET", "/workspaces/", Fault::Answer { status: 409, headers: BTreeMap::new(), body }).times(times)
}

#[tokio::test]
async fn a_read_that_is_refused_for_it_registers_the_provider_too() {
    let scene = Scene::new().await;
    scene.azure.add_fault(no_reads(1));
    scene.ready_hub("contoso").await;
    assert_eq!(scene.calls("POST", "/register").len(), 1);
}

#[tokio::test]
async fn who_only_observes_registers_nothing() {
    let scene = Scene::new().await;
    scene.azure.add_fault(no_reads(u64::MAX));
    let mut spec = hub_spec(&scene.unique("contoso"));
    spec["managementPolicy"] = json!("Observe");
    scene.apply::<FoundryHub>(&scene.platform, "contoso", spec).await;
    let told = |hub: &FoundryHub| hub.engine().conditions.iter().any(|it| it.message.contains(&command()));
    scene.until(&scene.platform, "contoso", "told", told).await;
    assert_eq!(scene.calls("POST", "/register").len(), 0);
}

#[tokio::test]
async fn an_operator_that_may_register_nothing_gives_the_command() {
    let scene = unregistered(&["--register-providers", "false"]).await;
    let message = scene.failing_hub("DependencyMissing").await;
    assert!(message.contains(&command()), "{message}");
    assert_eq!(scene.calls("POST", "/register").len(), 0);
    scene.azure.set_provider_state(NAMESPACE, RegistrationState::Registered);
    scene.until_ready::<FoundryHub>(&scene.platform, "contoso").await;
}

#[tokio::test]
async fn a_registration_that_azure_forbids_is_told_with_the_command_and_heals_when_somebody_registers() {
    let scene = unregistered(&[]).await;
    let action = format!("{NAMESPACE}/register/action");
    scene.azure.revoke(OPERATOR_CLIENT_ID, &action);
    let message = scene.failing_hub("DependencyMissing").await;
    assert!(message.contains(&command()) && message.contains(&action), "{message}");
    scene.azure.set_provider_state(NAMESPACE, RegistrationState::Registered);
    scene.until_ready::<FoundryHub>(&scene.platform, "contoso").await;
    assert_eq!(scene.calls("POST", "/register").len(), 1);
}
