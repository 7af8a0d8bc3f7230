//! A clock that runs faster.

use std::time::Duration;

use arm_emulator::{Bucket, Config, Limits, Settings, Timings};
use serde_json::json;

use crate::session::{CLIENT, SECRET, Session, config, hub_body, workspace};

fn settings(seconds: u64, factor: u32) -> Settings {
    Settings { timings: Timings::all(Duration::from_secs(seconds)), time_factor: factor, ..Settings::default() }
}

#[tokio::test]
async fn an_hour_passes_in_a_second() {
    let session =
        Session::with(Config { settings: settings(3600, 3600), token_lifetime: Duration::from_hours(100), ..config() })
            .await;
    let reply = session.put(&workspace("hub"), hub_body()).await;
    let url = reply.header("azure-asyncoperation");
    assert_eq!(session.url("GET", url, None).await.body()["status"], "InProgress");
    tokio::time::sleep(Duration::from_millis(1100)).await;
    assert_eq!(session.url("GET", url, None).await.body()["status"], "Succeeded");
}

#[tokio::test]
async fn tokens_end_by_the_fast_clock_and_say_so_in_real_seconds() {
    let session = Session::with(Config { settings: settings(0, 3000), ..config() }).await;
    let token = session.sign_in(&[("client_id", CLIENT), ("client_secret", SECRET)]).await.body();
    assert_eq!(token["expires_in"], 2);
    tokio::time::sleep(Duration::from_millis(1400)).await;
    assert_eq!(session.get(&workspace("hub")).await.code(), "ExpiredAuthenticationToken");
}

#[tokio::test]
async fn buckets_refill_by_it_and_it_changes_while_it_runs() {
    let writes = Bucket { capacity: 1, refill_per_second: 0.01 };
    let limits = Limits { writes, ..Limits::generous() };
    let session = Session::with(Config { limits, ..config() }).await;
    session.accepted(&workspace("hub"), hub_body()).await;
    assert_eq!(session.put(&workspace("hub"), hub_body()).await.header("retry-after"), "100");
    let reply = session.control("PATCH", "settings", Some(json!({"timeFactor": 1000}))).await;
    assert_eq!(reply.body()["timeFactor"], 1000);
    tokio::time::sleep(Duration::from_millis(150)).await;
    session.accepted(&workspace("hub"), hub_body()).await;
    session.emulator.set_time_factor(10);
    assert_eq!(session.put(&workspace("hub"), hub_body()).await.header("retry-after"), "10");
}
