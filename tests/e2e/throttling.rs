//! Many objects at once at an Azure that takes little.

use arm_emulator::{Bucket, Config, ConflictScope, Fault, FaultRule, Limits};
use foundry_operator::api::conditions::ConditionType;
use foundry_operator::api::{FoundryHub, FoundryProject};
use futures::future::join_all;
use kube::ResourceExt as _;
use serde_json::json;

use crate::harness::{Scene, Setting, quick_azure, says};

/// Calls that Azure answered so.
fn answered(scene: &Scene, status: u16) -> usize {
    scene.calls("", "").iter().filter(|call| call.status == status).count()
}

async fn make_projects(scene: &Scene, count: usize) {
    let names: Vec<String> = (0..count).map(|number| format!("churn-{number}")).collect();
    join_all(names.iter().map(|name| scene.apply_project(name, "contoso"))).await;
    join_all(names.iter().map(|name| scene.until_ready::<FoundryProject>(&scene.team, name))).await;
}

#[tokio::test]
async fn small_limits_are_kept_before_azure_has_to_say_so() {
    let small = |capacity, refill_per_second| Bucket { capacity, refill_per_second };
    let limits = Limits { reads: small(20, 12.0), writes: small(10, 6.0), deletes: small(10, 6.0), global_factor: 15 };
    let mut azure = Config { limits, ..quick_azure() };
    azure.settings.conflict_scope = ConflictScope::Workspace;
    let scene = Scene::with(Setting { azure: Some(azure), ..Setting::default() }).await;
    scene.ready_hub("contoso").await;
    make_projects(&scene, 20).await;
    assert_eq!(answered(&scene, 429), 0);
    let calls = scene.calls("GET", "").len();
    assert!(calls > 60, "{calls} reads are not more than the bucket holds");
}

#[tokio::test]
async fn an_azure_that_takes_one_operation_of_a_hub_at_a_time_rarely_has_to_say_so() {
    let scene = Scene::new().await;
    scene.ready_hub("contoso").await;
    make_projects(&scene, 12).await;
    let refused = answered(&scene, 409);
    assert!(refused <= 2, "{refused} of 12 were refused");
    for number in 0..12 {
        let events = scene.events(&scene.team, &format!("churn-{number}")).await;
        assert!(!events.iter().any(|event| event.starts_with("Busy")), "{events:?}");
    }
}

#[tokio::test]
async fn a_routine_look_that_has_to_wait_its_turn_alarms_nobody() {
    let scene = Scene::with(Setting { flags: vec!["--resync", "2s"], ..Setting::default() }).await;
    scene.ready_hub("refused").await;
    let before = scene.ready_hub("well").await;
    let headers = [("Retry-After", "300"), ("x-ms-ratelimit-remaining-subscription-reads", "0")];
    let headers = headers.map(|(name, value)| (name.to_owned(), value.to_owned())).into_iter().collect();
    let body = json!({"error": {"code": "TooManyRequests", "message": "no"}});
    scene.azure.add_fault(FaultRule::new(
        "GET",
        &scene.unique("refused"),
        Fault::Answer { status: 429, headers, body },
    ));
    let throttled = |hub: &FoundryHub| says(hub, ConditionType::Synced, "Unknown", "Throttled");
    scene.until(&scene.platform, "refused", "throttled", throttled).await;
    let put_off = |line: &str| line.contains("a routine look was put off") && line.contains(&scene.unique("well"));
    scene.eventually("put off", || scene.log().lines().any(put_off)).await;
    let after = scene.api::<FoundryHub>(&scene.platform).get("well").await.unwrap();
    assert_eq!(after.resource_version(), before.resource_version());
    assert!(says(&after, ConditionType::Synced, "True", "Reconciled"), "{:?}", after.status);
}
