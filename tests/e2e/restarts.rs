//! The operator is killed, at moments that matter.

use std::time::Duration;

use arm_emulator::{Fault, FaultRule, Timings};
use foundry_operator::api::{FoundryHub, FoundryProject};

use crate::harness::Scene;

#[tokio::test]
async fn an_operator_killed_while_a_hub_is_made_goes_on_where_it_was() {
    let mut scene = Scene::new().await;
    scene.azure.set_timings(Timings::all(Duration::from_secs(4)));
    scene.apply_hub("contoso").await;
    let running = |hub: &FoundryHub| hub.status.as_ref().is_some_and(|status| status.engine.operation.is_some());
    scene.until(&scene.platform, "contoso", "being made", running).await;
    scene.crash_operator();
    scene.until_ready::<FoundryHub>(&scene.platform, "contoso").await;
    assert_eq!(scene.calls("PUT", "/workspaces/").len(), 1);
}

#[tokio::test]
async fn an_operator_killed_before_it_could_remember_the_operation_does_not_make_the_hub_twice() {
    let mut scene = Scene::new().await;
    scene.azure.set_timings(Timings::all(Duration::from_secs(4)));
    scene.apply_hub("contoso").await;
    scene.eventually("asked of Azure", || !scene.calls("PUT", "/workspaces/").is_empty()).await;
    scene.crash_operator();
    scene.until_ready::<FoundryHub>(&scene.platform, "contoso").await;
    assert_eq!(scene.calls("PUT", "/workspaces/").len(), 1);
}

#[tokio::test]
async fn an_operator_killed_while_a_project_is_deleted_finishes_the_deletion() {
    let mut scene = Scene::new().await;
    scene.ready_hub("contoso").await;
    scene.ready_project("churn", "contoso").await;
    scene.azure.set_timings(Timings::all(Duration::from_secs(3)));
    scene.delete::<FoundryProject>(&scene.team, "churn").await;
    scene.eventually("asked of Azure", || !scene.calls("DELETE", "/workspaces/").is_empty()).await;
    scene.crash_operator();
    scene.until_gone::<FoundryProject>(&scene.team, "churn").await;
    assert_eq!(scene.calls("DELETE", "/workspaces/").len(), 1);
}

/// Azure goes on while the test waits for the operator's end.
#[tokio::test(flavor = "multi_thread")]
async fn an_operator_told_to_stop_while_azure_does_not_answer_ends_soon_and_the_next_one_goes_on() {
    let mut scene = Scene::new().await;
    scene.azure.add_fault(FaultRule::new("PUT", "/workspaces/", Fault::Delay(Duration::from_hours(1))).times(1));
    scene.apply_hub("contoso").await;
    scene.eventually("asked of Azure", || scene.azure.faults().iter().any(|fault| fault.applied == 1)).await;
    scene.stop_operator();
    scene.start_operator();
    scene.until_ready::<FoundryHub>(&scene.platform, "contoso").await;
}

/// Azure goes on while the test waits for the operator's end.
#[tokio::test(flavor = "multi_thread")]
async fn an_operator_told_to_stop_in_the_middle_of_a_write_does_not_leave_it_unknown() {
    let mut scene = Scene::new().await;
    scene.azure.set_timings(Timings::all(Duration::from_mins(10)));
    scene.azure.add_fault(FaultRule::new("PUT", "/workspaces/", Fault::Delay(Duration::from_secs(2))).times(1));
    scene.apply_hub("contoso").await;
    scene.eventually("asked of Azure", || scene.azure.faults().iter().any(|fault| fault.applied == 1)).await;
    scene.stop_operator();
    // Who stopped has waited for the answer, and the operation is remembered.
    let hub = scene.api::<FoundryHub>(&scene.platform).get("contoso").await.unwrap();
    assert!(hub.status.unwrap().engine.operation.is_some());
}

#[tokio::test]
async fn an_operator_told_to_stop_ends_well_and_soon() {
    let mut scene = Scene::new().await;
    scene.ready_hub("contoso").await;
    scene.stop_operator();
    assert!(scene.log().contains("foundry-operator has stopped"));
}
