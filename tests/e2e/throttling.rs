//! Many objects at once at an Azure that takes little.

use arm_emulator::{Bucket, Config, ConflictScope, Limits};
use foundry_operator::api::FoundryProject;
use futures::future::join_all;

use crate::harness::{Scene, Setting, quick_azure};

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
