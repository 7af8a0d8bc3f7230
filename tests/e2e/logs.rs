//! The log: each line of a reconcile says whose it is, and how much is logged can be changed.

use serde_json::Value;

use crate::harness::{Scene, Setting};

fn lines(log: &str) -> Vec<Value> {
    log.lines().map(|line| serde_json::from_str(line).unwrap_or_else(|error| panic!("{error}: {line}"))).collect()
}

#[tokio::test]
async fn each_line_of_a_reconcile_names_the_object_and_what_azure_knows_it_by() {
    let scene = Scene::new().await;
    scene.ready_hub("contoso").await;
    let (log, object) = (scene.log(), format!("{}/contoso", scene.platform));
    let of_engine =
        |line: &&Value| line["target"].as_str().is_some_and(|it| it.starts_with("foundry_operator::engine::session"));
    let lines = lines(&log);
    let of_reconciles: Vec<_> = lines.iter().filter(of_engine).collect();
    assert!(!of_reconciles.is_empty());
    for line in &of_reconciles {
        let span = &line["span"];
        assert_eq!((&span["kind"], &span["object"]), (&"FoundryHub".into(), &object.as_str().into()), "{line}");
        assert!(span["correlation_id"].is_string(), "{line}");
    }
    let calls: Vec<_> = lines.iter().filter(|line| line["message"] == "ARM call").collect();
    let put = scene.calls("PUT", "/workspaces/")[0].correlation_id.clone().unwrap();
    let of_put = calls.iter().find(|line| line["method"] == "PUT").unwrap();
    assert_eq!(of_put["span"]["correlation_id"], put.as_str(), "by which Azure knows it");
    assert_eq!(of_put["span"]["object"], object.as_str());
}

#[tokio::test]
async fn what_is_logged_where_only_errors_are_still_names_the_object() {
    let scene = Scene::with(Setting { flags: vec!["--log-level", "warn"], ..Setting::default() }).await;
    scene.apply_project("lost", "nowhere").await;
    scene.eventually("told", || scene.log().contains("HubNotFound")).await;
    let lines = lines(&scene.log());
    let told = lines.iter().find(|line| line["reason"] == "HubNotFound").unwrap();
    assert_eq!(told["span"]["object"], format!("{}/lost", scene.team).as_str());
}

#[tokio::test]
async fn the_level_is_changed_by_a_file_without_a_restart() {
    let folder = tempfile::TempDir::new().unwrap();
    let file = folder.path().join("log-level");
    let environment = vec![("FOUNDRY_LOG_LEVEL_FILE", file.display().to_string())];
    let scene = Scene::with(Setting { flags: vec!["--log-level", "info"], environment, ..Setting::default() }).await;
    scene.ready_hub("contoso").await;
    assert!(!scene.log().contains("\"DEBUG\""), "{}", scene.log());

    std::fs::write(&file, "debug\n").unwrap();
    scene.eventually("heard", || scene.log().contains("the log level is changed")).await;
    scene.ready_hub("fabrikam").await;
    assert!(scene.log().contains("\"DEBUG\""));

    std::fs::write(&file, "chatty").unwrap();
    scene.eventually("told", || scene.log().contains("is none of error, warn, info, debug, trace")).await;
    assert!(scene.is_running());
}
