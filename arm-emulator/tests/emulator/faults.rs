//! Faults on demand, over HTTP/1.1 and HTTP/2.

use std::time::{Duration, Instant};

use arm_emulator::{Fault, FaultRule, Moment, OperationFault};
use serde_json::{Value, json};

use crate::session::{CLIENT, SECRET, Session, config, hub_body, workspace};

async fn add(session: &Session, rule: Value) {
    let reply = session.control("POST", "faults", Some(rule)).await;
    assert_eq!(reply.status, 200, "{}", reply.text);
}

fn last_fault(session: &Session) -> String {
    session.emulator.journal().pop().unwrap().fault.unwrap_or_default()
}

#[tokio::test]
async fn a_request_is_answered_as_a_rule_says_and_then_no_more() {
    let session = Session::start().await;
    let fault =
        json!({"answer": {"status": 503, "headers": {"Retry-After": "7"}, "body": {"error": {"code": "Busy"}}}});
    add(&session, json!({"method": "PUT", "path": "workspaces/hub", "skip": 0, "count": 1, "fault": fault})).await;
    let reply = session.put(&workspace("hub"), hub_body()).await;
    assert_eq!((reply.status, reply.header("retry-after"), reply.code().as_str()), (503, "7", "Busy"));
    assert_eq!(last_fault(&session), "1: answer 503");
    assert_eq!(session.get(&workspace("hub")).await.status, 404);
    session.accepted(&workspace("hub"), hub_body()).await;
    assert_eq!(last_fault(&session), "");
    let states = session.control("GET", "faults", None).await.body();
    assert_eq!((&states[0]["seen"], &states[0]["applied"]), (&json!(2), &json!(1)));
    assert_eq!(session.control("DELETE", "faults", None).await.status, 204);
    assert_eq!(session.control("GET", "faults", None).await.body(), json!([]));
}

#[tokio::test]
async fn a_connection_breaks_before_or_after_the_request_is_applied() {
    let session = Session::start().await;
    for http1 in [false, true] {
        let certificate = reqwest::Certificate::from_pem(session.emulator.ca_pem().as_bytes()).unwrap();
        let mut client = reqwest::Client::builder().tls_certs_only([certificate]);
        if http1 {
            client = client.http1_only();
        }
        let client = client.build().unwrap();
        for (moment, expected) in [(Moment::Before, 404), (Moment::After, 200)] {
            let hub = workspace(&format!("hub-{http1}-{moment:?}"));
            session.emulator.add_fault(FaultRule::new("PUT", &hub, Fault::DropConnection(moment)).times(1));
            let url = format!("{}{hub}?api-version=2025-12-01", session.emulator.endpoint());
            let sent = client.put(url).bearer_auth(&session.token).json(&hub_body()).send().await;
            assert!(sent.is_err(), "{http1} {moment:?}");
            assert!(last_fault(&session).contains("connection dropped"));
            assert_eq!(session.get(&hub).await.status, expected);
        }
    }
}

#[tokio::test]
async fn an_answer_breaks_off() {
    let session = Session::start().await;
    session.accepted(&workspace("hub"), hub_body()).await;
    session.emulator.add_fault(FaultRule::new("GET", "workspaces/hub", Fault::TruncateAfter(20)).times(1));
    let url = format!("{}{}?api-version=2025-12-01", session.emulator.endpoint(), workspace("hub"));
    let response = session.http.get(url).bearer_auth(&session.token).send().await.unwrap();
    assert_eq!(response.status(), 200);
    assert!(response.text().await.is_err());
    assert_eq!(session.get(&workspace("hub")).await.status, 200);
}

#[tokio::test]
async fn a_page_stands_where_json_was_expected_and_answers_come_late() {
    let session = Session::start().await;
    add(&session, json!({"method": "GET", "count": 1, "fault": {"html": {}}})).await;
    let reply = session.get(&workspace("hub")).await;
    assert_eq!((reply.status, reply.header("content-type")), (502, "text/html; charset=utf-8"));
    add(&session, json!({"method": "GET", "count": 1, "fault": {"delaySeconds": 0.3}})).await;
    let started = Instant::now();
    assert_eq!(session.get(&workspace("hub")).await.status, 404);
    assert!(started.elapsed() >= Duration::from_millis(300));
}

#[tokio::test]
async fn operations_fail_are_cancelled_or_hang() {
    let session = Session::start().await;
    let cases = [("Failed", "Failed"), ("Canceled", "Canceled"), ("hang", "InProgress")];
    for (word, status) in cases {
        let hub = workspace(&format!("hub-{word}"));
        add(&session, json!({"path": format!("hub-{word}"), "count": 1, "fault": {"operation": word}})).await;
        let reply = session.put(&hub, hub_body()).await;
        assert!(last_fault(&session).contains("operation"));
        let polled = session.url("GET", reply.header("azure-asyncoperation"), None).await;
        assert_eq!(polled.body()["status"], status);
    }
    let rule = FaultRule::new("", "", Fault::Operation(OperationFault::Hangs));
    let id = session.emulator.add_fault(rule);
    // A request that begins no operation does not use the rule up.
    session.get(&workspace("hub-Failed")).await;
    assert_eq!(session.emulator.faults().last().unwrap().seen, 0);
    assert!(session.emulator.remove_fault(id) && !session.emulator.remove_fault(id));
}

#[tokio::test]
async fn polling_and_the_token_endpoint_meet_faults_too() {
    let session = Session::start().await;
    let reply = session.put(&workspace("hub"), hub_body()).await;
    let answer = |status: u16, body: Value| json!({"answer": {"status": status, "body": body}});
    add(&session, json!({"path": "workspaceOperationsStatus", "count": 1, "fault": answer(500, Value::Null)})).await;
    let url = reply.header("azure-asyncoperation");
    assert_eq!(session.url("GET", url, None).await.status, 500);
    assert_eq!(session.url("GET", url, None).await.body()["status"], "Succeeded");
    let fault = answer(400, json!({"error": "temporarily_unavailable"}));
    add(&session, json!({"path": "oauth2", "count": 1, "fault": fault})).await;
    let fields = [("client_id", CLIENT), ("client_secret", SECRET)];
    assert_eq!(session.sign_in(&fields).await.body()["error"], "temporarily_unavailable");
    assert_eq!(session.sign_in(&fields).await.status, 200);
}

#[tokio::test]
async fn a_rule_that_makes_no_sense_is_refused() {
    let session = Session::start().await;
    for rule in [json!({"fault": {}}), json!({"probability": 2, "fault": {"html": {}}}), json!({"what": 1})] {
        assert_eq!(session.control("POST", "faults", Some(rule)).await.status, 400);
    }
    assert_eq!(session.control("DELETE", "faults/9", None).await.status, 404);
}

#[tokio::test]
async fn a_rule_on_a_resource_meets_polls_of_its_operations() {
    let session = Session::start().await;
    let answer = json!({"answer": {"status": 500}});
    add(&session, json!({"method": "GET", "resource": "/workspaces/hub-a", "count": 2, "fault": answer})).await;
    let mut polls = Vec::new();
    for name in ["hub-a", "hub-b"] {
        let reply = session.put(&workspace(name), hub_body()).await;
        let polled = session.url("GET", reply.header("azure-asyncoperation"), None).await;
        polls.push((session.emulator.journal().pop().unwrap().operation_on.unwrap(), polled.status));
    }
    assert_eq!(polls, [(workspace("hub-a"), 500), (workspace("hub-b"), 200)]);
    assert_eq!(session.get(&workspace("hub-a")).await.status, 500);
    assert_eq!(session.get(&workspace("hub-b")).await.status, 200);
    assert_eq!(session.emulator.journal().pop().unwrap().operation_on, None);
    let about = session.control("GET", "journal?method=GET&resource=HUB-A", None).await.body();
    assert_eq!(about.as_array().unwrap().len(), 2);
    assert_eq!(session.emulator.journal_about("workspaces/hub-a").len(), 3);
}

#[tokio::test]
async fn an_operation_that_hangs_ends_when_it_is_let_go() {
    let session = Session::start().await;
    add(&session, json!({"method": "PUT", "fault": {"operation": "hang"}})).await;
    let reply = session.put(&workspace("hub"), hub_body()).await;
    let status = async || session.url("GET", reply.header("azure-asyncoperation"), None).await.body()["status"].clone();
    let finish = async |resource: &str| {
        let reply = session.control("POST", "operations/finish", Some(json!({"resource": resource}))).await;
        assert_eq!(reply.status, 204, "{}", reply.text);
    };
    finish("workspaces/other").await;
    assert_eq!(status().await, "InProgress");
    finish("WORKSPACES/hub").await;
    assert_eq!(status().await, "Succeeded");
}

#[tokio::test]
async fn without_http2_a_broken_connection_is_that_of_one_request() {
    let session = Session::with(arm_emulator::Config { http2: false, ..config() }).await;
    session.emulator.add_fault(FaultRule::new("PUT", "", Fault::DropConnection(Moment::Before)));
    session.emulator.add_fault(FaultRule::new("GET", "", Fault::Delay(Duration::from_millis(300))));
    let url = format!("{}{}?api-version=2025-12-01", session.emulator.endpoint(), workspace("hub"));
    let dropped = session.http.put(url).bearer_auth(&session.token).json(&hub_body()).send();
    let slow = workspace("hub");
    let (slow, dropped) = tokio::join!(session.get(&slow), dropped);
    assert!(dropped.is_err());
    assert_eq!(slow.status, 404);
}
