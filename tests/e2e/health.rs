//! What the operator tells over HTTP.

use tempfile::TempDir;

use crate::harness::{SUBSCRIPTION, Scene, Setting, cluster};

#[tokio::test]
async fn an_operator_that_works_says_so() {
    let scene = Scene::new().await;
    scene.ready_hub("contoso").await;
    assert_eq!(scene.http("/healthz").await, (200, "ok\n".to_owned()));
    assert_eq!(scene.http("/readyz").await, (200, "ok\n".to_owned()));
    assert_eq!(scene.http("/elsewhere").await.0, 404);
}

#[tokio::test]
async fn the_program_asks_another_whether_it_is_ready() {
    let scene = Scene::new().await;
    scene.ready_hub("contoso").await;
    let address = scene.address().await;
    let ask = |path: &str| {
        let program = env!("CARGO_BIN_EXE_foundry-operator");
        std::process::Command::new(program).args(["ready", &format!("{address}{path}")]).output().unwrap()
    };
    assert!(ask("/readyz").status.success());
    let elsewhere = ask("/elsewhere");
    assert!(!elsewhere.status.success() && elsewhere.stderr.starts_with(b"foundry-operator: "), "{elsewhere:?}");
}

#[tokio::test]
async fn calls_and_sign_ins_are_counted() {
    let scene = Scene::new().await;
    scene.ready_hub("contoso").await;
    let puts = scene.metric(r#"foundry_arm_requests_total{operation="workspaces_put",status="202"}"#).await;
    let polls = scene.metric(r#"foundry_arm_requests_total{operation="operation_poll",status="200"}"#).await;
    let timed = scene.metric(r#"foundry_arm_request_duration_seconds_count{operation="workspaces_put"}"#).await;
    let sign_ins = scene.metric(r#"foundry_arm_sign_ins_total{credential="workload-identity",outcome="ok"}"#).await;
    assert_eq!((puts, timed, sign_ins), (1, 1, 1));
    assert_eq!(polls, scene.calls("GET", "/workspaceOperationsStatus/").len() as u64);
    assert_eq!(scene.metric("foundry_arm_signed_in").await, 1);
}

#[tokio::test]
async fn what_is_left_of_arms_limits_and_who_waits_is_shown() {
    let scene = Scene::new().await;
    scene.ready_hub("contoso").await;
    let (_, shown) = scene.http("/metrics").await;
    let value = |metric: &str| -> f64 {
        let line = shown.lines().find_map(|line| line.strip_prefix(metric)?.strip_prefix(' '));
        line.unwrap_or_else(|| panic!("no {metric} in {shown}")).parse().unwrap()
    };
    let writes = format!(r#"kind="writes",subscription="{SUBSCRIPTION}""#);
    assert!(value(&format!("foundry_arm_tokens{{{writes}}}")) > 0.0);
    assert!(value(&format!("foundry_arm_refill_per_second{{{writes}}}")) > 0.0);
    let waiting =
        format!(r#"foundry_arm_calls_waiting{{kind="reads",priority="interactive",subscription="{SUBSCRIPTION}"}}"#);
    assert_eq!((value(&waiting), value("foundry_arm_held_back")), (0.0, 0.0));
}

#[tokio::test]
async fn an_operator_that_may_list_nothing_lives_but_is_not_ready_and_says_what_it_misses() {
    let control_plane = cluster().control_plane();
    let token = control_plane.service_account_token("default", "default", None).unwrap();
    let folder = TempDir::new().unwrap();
    let kubeconfig = folder.path().join("nobody.kubeconfig");
    std::fs::write(&kubeconfig, control_plane.kubeconfig_yaml("nobody", &token)).unwrap();
    let environment = vec![("KUBECONFIG", kubeconfig.display().to_string())];
    let flags = vec!["--cluster-id", "e2e"];
    let scene = Scene::with(Setting { flags, environment, ..Setting::default() }).await;
    scene.eventually("refused", || scene.log().contains("cannot be listed")).await;
    let (status, body) = scene.http("/readyz").await;
    assert_eq!(status, 503, "{body}");
    let missing = format!("foundryhubs of namespace {} are not listed yet", scene.platform);
    assert!(body.contains(&missing), "{body}");
    assert_eq!(scene.http("/healthz").await.0, 200);
}

#[tokio::test]
async fn what_is_not_served_is_not_listened_for() {
    let scene = Scene::with(Setting { flags: vec!["--http-address", "off"], ..Setting::default() }).await;
    scene.ready_hub("contoso").await;
    assert!(!scene.log().contains("/metrics"), "{}", scene.log());
}
