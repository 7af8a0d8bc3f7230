//! Events: what repeats is one of them, however often.

use foundry_operator::api::FoundryHub;
use k8s_openapi::api::events::v1::Event;
use kube::Api;
use kube::api::ListParams;
use serde_json::json;

use crate::harness::{Scene, Setting};

async fn of_reason(scene: &Scene, reason: &str) -> Vec<Event> {
    let api = Api::<Event>::namespaced(scene.client.clone(), &scene.platform);
    let events = api.list(&ListParams::default()).await.unwrap();
    events.into_iter().filter(|event| event.reason.as_deref() == Some(reason)).collect()
}

#[tokio::test]
async fn drift_that_comes_back_is_one_event_that_counts_whatever_else_changes() {
    let scene = Scene::with(Setting { flags: vec!["--resync", "1s"], ..Setting::default() }).await;
    let hub = scene.ready_hub("contoso").await;
    let id = hub.status.unwrap().engine.resource_id.unwrap();
    let drift = r#"foundry_drift_total{kind="FoundryHub",reason="DriftCorrected"}"#;
    for times in 1..=4 {
        // The object is another version of itself each time.
        scene.annotate::<FoundryHub>(&scene.platform, "contoso", "round", &times.to_string()).await;
        scene.azure.patch_resource(&id, &json!({"tags": {"foundryoperator.dev.owner": null}})).unwrap();
        scene.until_metric(drift, times).await;
        // Its operation ends later, and would put right what is spoilt before that.
        let mark = || scene.azure.resource(&id).is_some_and(|hub| hub["tags"]["foundryoperator.dev.owner"].is_string());
        scene.eventually("marked again", mark).await;
        scene.until_ready::<FoundryHub>(&scene.platform, "contoso").await;
    }
    let counted = async || {
        let events = of_reason(&scene, "DriftCorrected").await;
        (events.len(), events[0].series.as_ref().map(|series| series.count))
    };
    // It is published after the status, which is what was waited for.
    for _ in 0..100 {
        if counted().await.1 == Some(4) {
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
    assert_eq!(counted().await, (1, Some(4)));
}

#[tokio::test]
async fn a_failure_that_repeats_is_told_once() {
    let scene = Scene::with(Setting { flags: vec!["--resync", "1s"], ..Setting::default() }).await;
    let hub = scene.ready_hub("contoso").await;
    let id = hub.status.unwrap().engine.resource_id.unwrap();
    let body = json!({"error": {"code": "ServiceUnavailable", "message": "down"}});
    let down = arm_emulator::Fault::Answer { status: 503, headers: std::collections::BTreeMap::default(), body };
    scene.azure.add_fault(arm_emulator::FaultRule::new("GET", &id, down));
    let waiting = r#"foundry_reconciles_total{kind="FoundryHub",outcome="waiting"}"#;
    scene.until_metric_exceeds(waiting, 3).await;
    let events = of_reason(&scene, "AzureUnavailable").await;
    assert_eq!(events.len(), 1, "{events:#?}");
}
