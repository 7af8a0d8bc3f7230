//! Lists of workspaces and their pages.

use arm_emulator::{Config, Settings, Timings};
use serde_json::Value;

use crate::session::{SUBSCRIPTION, Session, config, hub_body, project_body, workspace};

const PROVIDER: &str = "providers/Microsoft.MachineLearningServices/workspaces";

fn names(body: &Value) -> Vec<String> {
    let value = body["value"].as_array().unwrap();
    value.iter().map(|it| it["name"].as_str().unwrap().to_owned()).collect()
}

#[tokio::test]
async fn pages_follow_each_other_by_their_links() {
    let settings = Settings { page_size: 2, timings: Timings::instant(), ..Settings::default() };
    let session = Session::with(Config { settings, ..config() }).await;
    for name in ["hub1", "hub2", "hub3", "hub4", "hub5"] {
        session.accepted(&workspace(name), hub_body()).await;
    }
    let mut url = format!(
        "{}/subscriptions/{SUBSCRIPTION}/{PROVIDER}?api-version=2025-12-01&kind=hub",
        session.emulator.endpoint()
    );
    let mut found = Vec::new();
    for last in [false, false, true] {
        let body = session.url("GET", &url, None).await.body();
        found.extend(names(&body));
        assert_eq!(body.get("nextLink").is_none(), last);
        if let Some(next) = body["nextLink"].as_str() {
            next.clone_into(&mut url);
        }
    }
    assert_eq!(found, ["hub1", "hub2", "hub3", "hub4", "hub5"]);
}

#[tokio::test]
async fn lists_are_narrowed_by_group_and_kind() {
    let session = Session::start().await;
    session.accepted(&workspace("hub"), hub_body()).await;
    session.accepted(&workspace("project"), project_body(&workspace("hub"))).await;
    let elsewhere = workspace("elsewhere").replace("/rg/", "/rg2/");
    session.accepted(&elsewhere, hub_body()).await;
    let list = async |scope: &str, query: &str| {
        let path = format!("/subscriptions/{SUBSCRIPTION}/{scope}{PROVIDER}?api-version=2025-12-01{query}");
        names(&session.get(&path).await.body())
    };
    assert_eq!(list("", "").await, ["hub", "project", "elsewhere"]);
    assert_eq!(list("resourceGroups/RG/", "").await, ["hub", "project"]);
    assert_eq!(list("resourcegroups/rg/", "&kind=Project").await, ["project"]);
    assert_eq!(list("", "&kind=HUB").await, ["hub", "elsewhere"]);
}
