//! Traces over OTLP, read as a collector reads them.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::routing::post;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceRequest;
use opentelemetry_proto::tonic::common::v1::any_value::Value;
use opentelemetry_proto::tonic::trace::v1::Span;
use prost::Message as _;

use crate::harness::{Scene, Setting, from_secret};

type Received = Arc<Mutex<Vec<Span>>>;

/// A collector on a free port. It ends with the test.
async fn collector() -> (String, Received) {
    async fn take(State(received): State<Received>, body: Bytes) {
        let request = ExportTraceServiceRequest::decode(body).unwrap();
        let spans = request.resource_spans.into_iter().flat_map(|of| of.scope_spans).flat_map(|of| of.spans);
        received.lock().unwrap().extend(spans);
    }
    let received = Received::default();
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    let router = Router::new().route("/v1/traces", post(take)).with_state(received.clone());
    tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
    (address, received)
}

fn attributes(span: &Span) -> BTreeMap<&str, String> {
    let text = |value: &Value| match value {
        Value::StringValue(text) => text.clone(),
        Value::IntValue(number) => number.to_string(),
        other => format!("{other:?}"),
    };
    let value = |it: &opentelemetry_proto::tonic::common::v1::AnyValue| it.value.as_ref().map(text).unwrap_or_default();
    span.attributes.iter().map(|it| (it.key.as_str(), it.value.as_ref().map(value).unwrap_or_default())).collect()
}

async fn traced() -> (Scene, Received) {
    let (address, received) = collector().await;
    // So much of the log that no span would be in it.
    let flags = vec!["--log-level", "error"];
    let environment = vec![("OTEL_EXPORTER_OTLP_ENDPOINT", address), ("OTEL_BSP_SCHEDULE_DELAY", "100".to_owned())];
    (Scene::with(Setting { flags, environment, ..Setting::default() }).await, received)
}

// Two threads: the collector goes on while the test waits for the operator's end.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_reconcile_is_a_span_and_each_of_its_calls_to_arm_one_below_it() {
    let (mut scene, received) = traced().await;
    scene.ready_hub("contoso").await;
    // What has not been sent is sent at the end.
    scene.stop_operator();
    let spans = received.lock().unwrap().clone();
    let reconciles: BTreeMap<_, _> =
        spans.iter().filter(|span| span.name == "reconcile").map(|span| (span.span_id.clone(), span)).collect();
    assert!(reconciles.values().all(|span| span.parent_span_id.is_empty()));
    let puts: Vec<_> = spans.iter().filter(|span| span.name == "workspaces_put").collect();
    assert_eq!(puts.len(), 1, "{spans:#?}");
    let (put, reconcile) = (attributes(puts[0]), attributes(reconciles[&puts[0].parent_span_id]));
    assert_eq!(reconcile["kind"], "FoundryHub");
    assert_eq!(reconcile["object"], format!("{}/contoso", scene.platform));
    let outcomes: Vec<_> = reconciles.values().map(|span| attributes(span).remove("outcome")).collect();
    assert!(outcomes.iter().flatten().any(|outcome| outcome == "settled"), "{outcomes:?}");
    assert_eq!(put["azure.operation"], "workspaces_put");
    assert_eq!(put["http.response.status_code"], "202");
    assert!(put["azure.resource_id"].ends_with(&format!("/workspaces/{}", scene.unique("contoso"))), "{put:#?}");
    let known_to_azure = scene.calls("PUT", "/workspaces/")[0].correlation_id.clone().unwrap();
    assert_eq!((&put["azure.correlation_id"], &reconcile["correlation_id"]), (&known_to_azure, &known_to_azure));
    let calls = spans.iter().filter(|span| attributes(span).contains_key("azure.operation"));
    assert_eq!(calls.count(), scene.calls("", "").len(), "each call is one span");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_secret_is_in_a_trace() {
    let (mut scene, received) = traced().await;
    scene.ready_hub("contoso").await;
    scene.apply_secret(&scene.platform, "aoai", &[("key", "k-sesame")]).await;
    let spec = serde_json::json!({
        "hubRef": {"name": "contoso"}, "category": "AzureOpenAI", "target": "https://a", "authType": "ApiKey",
        "credentials": {"key": from_secret("aoai", "key")},
    });
    scene.apply::<foundry_operator::api::FoundryConnection>(&scene.platform, "aoai", spec).await;
    scene.until_ready::<foundry_operator::api::FoundryConnection>(&scene.platform, "aoai").await;
    scene.stop_operator();
    let told = format!("{:?}", received.lock().unwrap());
    assert!(told.contains("connections_put"), "{told}");
    for secret in ["k-sesame", "eyJ", "Bearer", "api-version="] {
        assert!(!told.contains(secret), "{secret} is in {told}");
    }
}

#[tokio::test]
async fn a_collector_that_is_not_there_is_told_once_and_holds_nothing_up() {
    let environment = vec![
        ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://127.0.0.1:1".to_owned()),
        ("OTEL_BSP_SCHEDULE_DELAY", "100".to_owned()),
    ];
    let scene = Scene::with(Setting { environment, ..Setting::default() }).await;
    scene.ready_hub("contoso").await;
    let complaints = || scene.log().matches("the collector takes no spans").count();
    scene.eventually("told", || complaints() > 0).await;
    scene.ready_hub("fabrikam").await;
    assert_eq!(complaints(), 1, "{}", scene.log());
}
