//! The ARM client against the emulator: signing in, reading, writing, following operations.
#![expect(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use arm_emulator::{
    Config, Credential, DEFAULT_SUBSCRIPTION, Emulator, Fault, FaultRule, Identity, Limits, Moment, Outcome,
    PlannedFailure, Settings, Timings,
};
use foundry_operator::arm::credential::{Cloud, SignIn};
use foundry_operator::arm::{
    ArmId, ArmMetrics, Body, Cause, Class, Client, Fence, Progress, Tokens, Transport, Written,
};
use prometheus::Registry;
use serde_json::{Value, json};

const CLIENT_ID: &str = "00000000-0000-4000-8000-0000000000c1";
const VERSION: &str = "2025-12-01";

async fn emulator() -> Emulator {
    emulator_with(Duration::from_hours(1)).await
}

async fn emulator_with(token_lifetime: Duration) -> Emulator {
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    let identities = vec![Identity { client_id: CLIENT_ID.into(), credential: Credential::Secret("right".into()) }];
    let settings = Settings { timings: Timings::all(Duration::from_millis(100)), page_size: 1, ..Settings::default() };
    let config = Config { identities, settings, token_lifetime, limits: Limits::generous(), ..Config::default() };
    Emulator::start(config).await.unwrap()
}

fn client_with(emulator: &Emulator, secret: &str, ca: Option<&str>) -> Client {
    let cloud = Cloud {
        arm_endpoint: emulator.endpoint().to_owned(),
        arm_audience: emulator.endpoint().to_owned(),
        authority_host: emulator.endpoint().to_owned(),
        studio: "https://ai.azure.com",
    };
    let sign_in = SignIn::ClientSecret {
        client_id: CLIENT_ID.into(),
        tenant_id: emulator.tenant_id().into(),
        secret: secret.to_owned().into(),
    };
    let folder = tempfile::tempdir().unwrap();
    let bundle = ca.map(|pem| {
        let file = folder.path().join("ca.pem");
        std::fs::write(&file, pem).unwrap();
        file
    });
    let transport = Arc::new(Transport::new(bundle));
    transport.client().unwrap();
    let metrics = ArmMetrics::new(&Registry::new()).unwrap();
    let endpoint = cloud.arm_endpoint.parse().unwrap();
    Client::new(
        transport.clone(),
        endpoint,
        Tokens::new(sign_in, cloud, transport, metrics.clone()),
        metrics,
        Fence::unlimited(),
    )
}

fn client(emulator: &Emulator) -> Client {
    client_with(emulator, "right", Some(emulator.ca_pem()))
}

fn hub() -> ArmId {
    ArmId::workspace(DEFAULT_SUBSCRIPTION, "rg", "contoso").unwrap()
}

fn hub_body() -> Value {
    let provider = format!("/subscriptions/{DEFAULT_SUBSCRIPTION}/resourceGroups/rg/providers");
    json!({"kind": "Hub", "location": "westeurope", "identity": {"type": "SystemAssigned"}, "properties": {
        "storageAccount": format!("{provider}/Microsoft.Storage/storageAccounts/st"),
        "keyVault": format!("{provider}/Microsoft.KeyVault/vaults/kv"),
    }})
}

async fn follow(client: &Client, written: Written) -> Progress {
    let Written::Accepted { url, .. } = written else { panic!("done at once: {written:?}") };
    follow_url(client, &url).await
}

async fn follow_url(client: &Client, url: &str) -> Progress {
    for _ in 0..200 {
        match client.poll(url).await.unwrap() {
            Progress::Running { .. } => tokio::time::sleep(Duration::from_millis(20)).await,
            ended => return ended,
        }
    }
    panic!("the operation does not end")
}

#[tokio::test]
async fn a_workspace_is_made_read_and_deleted() {
    let emulator = emulator().await;
    let client = client(&emulator);
    assert_eq!(client.get(&hub(), VERSION).await.unwrap(), None);
    let accepted = client.put(&hub(), VERSION, Body::new(&hub_body())).await.unwrap();
    assert!(matches!(follow(&client, accepted).await, Progress::Succeeded));
    assert_eq!(client.get(&hub(), VERSION).await.unwrap().unwrap()["kind"], "Hub");
    let accepted = client.delete(&hub(), VERSION).await.unwrap();
    assert!(matches!(follow(&client, accepted).await, Progress::Succeeded));
    assert!(matches!(client.delete(&hub(), VERSION).await.unwrap(), Written::Done(None)));
}

#[tokio::test]
async fn an_operation_can_be_followed_by_its_location_too() {
    let emulator = emulator().await;
    let client = client(&emulator);
    let Written::Accepted { url, .. } = client.put(&hub(), VERSION, Body::new(&hub_body())).await.unwrap() else {
        panic!("done at once")
    };
    // FACT: `Location` is the same but for this word (recording of a workspace's PUT); the signature covers both here.
    let location = url.replace("type=async", "type=location");
    assert!(matches!(follow_url(&client, &location).await, Progress::Succeeded));
}

#[tokio::test]
async fn a_page_of_a_proxy_is_not_the_end_of_an_operation() {
    let emulator = emulator().await;
    let client = client(&emulator);
    let Written::Accepted { url, .. } = client.put(&hub(), VERSION, Body::new(&hub_body())).await.unwrap() else {
        panic!("done at once")
    };
    let page = Fault::Html { status: 200, page: "<html>please sign in to this network</html>".to_owned() };
    emulator.add_fault(FaultRule::new("GET", "/workspaceOperationsStatus/", page).times(1));
    assert_eq!(client.poll(&url).await.unwrap_err().cause, Cause::Unavailable);
    assert!(matches!(follow_url(&client, &url).await, Progress::Succeeded));
}

#[tokio::test]
async fn every_page_of_a_list_is_read() {
    let emulator = emulator().await;
    let client = client(&emulator);
    let accepted = client.put(&hub(), VERSION, Body::new(&hub_body())).await.unwrap();
    follow(&client, accepted).await;
    let datastores = client.list(&hub(), "datastores", VERSION).await.unwrap().unwrap();
    assert_eq!(datastores.len(), 4);
    assert!(emulator.journal_matching("GET", "/datastores").len() >= 4, "one page held everything");
}

#[tokio::test]
async fn what_is_below_a_workspace_that_is_not_there_is_absent() {
    let emulator = emulator().await;
    let client = client(&emulator);
    let connection = hub().child("connections", "aoai").unwrap();
    assert_eq!(client.get(&connection, VERSION).await.unwrap(), None);
    assert_eq!(client.list(&hub(), "datastores", VERSION).await.unwrap(), None);
}

#[tokio::test]
async fn the_token_goes_nowhere_but_to_arm() {
    let (emulator, elsewhere) = (emulator().await, emulator().await);
    let client = client(&emulator);
    let url =
        format!("{}/subscriptions/{DEFAULT_SUBSCRIPTION}/providers/x?api-version={VERSION}", elsewhere.endpoint());
    assert!(matches!(client.poll(&url).await.unwrap(), Progress::Untold(_)));
    assert_eq!(elsewhere.journal().len(), 0);
}

#[tokio::test]
async fn an_operation_that_arm_does_not_know_is_untold() {
    let emulator = emulator().await;
    let url = format!(
        "{}/subscriptions/{DEFAULT_SUBSCRIPTION}/providers/Microsoft.MachineLearningServices/locations/westeurope/workspaceOperationsStatus/none?api-version={VERSION}",
        emulator.endpoint()
    );
    assert!(matches!(client(&emulator).poll(&url).await.unwrap(), Progress::Untold(_)));
}

#[tokio::test]
async fn a_failed_operation_tells_azures_words() {
    let emulator = emulator().await;
    let client = client(&emulator);
    emulator.fail_next(PlannedFailure {
        method: "PUT".into(),
        path: "contoso".into(),
        outcome: Outcome::Failed,
        status: None,
        code: "BadRequest".into(),
        message: "not like this".into(),
    });
    let accepted = client.put(&hub(), VERSION, Body::new(&hub_body())).await.unwrap();
    let Progress::Failed(error) = follow(&client, accepted).await else { panic!("it did not fail") };
    assert_eq!((error.class, error.message.as_str()), (Class::Lasting, "not like this"));
}

#[tokio::test]
async fn a_read_that_fails_for_a_moment_is_made_again() {
    let emulator = emulator().await;
    emulator.fail_next(PlannedFailure {
        method: "GET".into(),
        path: "contoso".into(),
        outcome: Outcome::Failed,
        status: Some(503),
        code: "ServiceUnavailable".into(),
        message: "in a moment".into(),
    });
    assert_eq!(client(&emulator).get(&hub(), VERSION).await.unwrap(), None);
    let statuses: Vec<u16> = emulator.journal_matching("GET", "contoso").iter().map(|call| call.status).collect();
    assert_eq!(statuses, [503, 404]);
}

#[tokio::test]
async fn a_wrong_secret_is_a_sign_in_that_failed() {
    let emulator = emulator().await;
    let error = client_with(&emulator, "wrong", Some(emulator.ca_pem())).get(&hub(), VERSION).await.unwrap_err();
    assert_eq!(error.cause, Cause::SignIn);
    assert!(error.message.contains("AADSTS7000215"), "{error}");
    assert!(!error.to_string().contains("wrong\""), "{error}");
}

#[tokio::test]
async fn a_server_that_is_not_trusted_gets_nothing() {
    let emulator = emulator().await;
    let error = client_with(&emulator, "right", None).get(&hub(), VERSION).await.unwrap_err();
    assert!(error.to_string().contains("certificate"), "{error}");
    assert_eq!(emulator.journal().len(), 0);
}

#[tokio::test]
async fn http2_is_spoken_where_the_server_can() {
    let emulator = emulator().await;
    client(&emulator).get(&hub(), VERSION).await.unwrap();
    let spoken: Vec<String> = emulator.journal().into_iter().map(|call| call.http).collect();
    assert_eq!(spoken, ["HTTP/2.0", "HTTP/2.0"], "the token and the call");
}

#[tokio::test]
async fn after_a_429_nothing_is_sent_before_azure_says_so() {
    let emulator = emulator().await;
    let client = client(&emulator);
    let headers = BTreeMap::from([("retry-after".to_owned(), "60".to_owned())]);
    let answer = Fault::Answer { status: 429, headers, body: json!({"error": {"code": "TooManyRequests"}}) };
    emulator.add_fault(FaultRule::new("GET", "contoso", answer).times(1));
    assert_eq!(client.get(&hub(), VERSION).await.unwrap_err().status, Some(429));
    let error = client.get(&hub(), VERSION).await.unwrap_err();
    assert!(error.was_held_back() && error.cause == Cause::Throttled, "{error:?}");
    assert!(error.retry_after > Some(Duration::from_secs(50)), "{error:?}");
    assert_eq!(emulator.journal_matching("GET", "contoso").len(), 1);
    // Writes have a bucket of their own.
    client.put(&hub(), VERSION, Body::new(&hub_body())).await.unwrap();
}

#[tokio::test]
async fn while_azure_fails_as_a_whole_calls_are_held_back_and_say_since_when() {
    let emulator = emulator().await;
    let client = client(&emulator);
    emulator.add_fault(FaultRule::new(
        "PUT",
        "",
        Fault::Answer { status: 503, headers: BTreeMap::new(), body: Value::Null },
    ));
    let workspace = |number| ArmId::workspace(DEFAULT_SUBSCRIPTION, "rg", &format!("hub-{number}")).unwrap();
    for number in 0..5 {
        let error = client.put(&workspace(number), VERSION, Body::new(&hub_body())).await.unwrap_err();
        assert_eq!(error.status, Some(503));
    }
    let error = client.put(&workspace(6), VERSION, Body::new(&hub_body())).await.unwrap_err();
    assert!(error.was_held_back() && error.cause == Cause::Unavailable && error.class == Class::Fast, "{error:?}");
    assert!(error.message.contains("has not answered properly since 20") && error.message.contains("503"), "{error}");
    assert_eq!(emulator.journal_matching("PUT", "").len(), 5);
    tokio::time::sleep(error.retry_after.unwrap()).await;
    assert_eq!(client.get(&hub(), VERSION).await.unwrap(), None);
    assert!(!client.throttle().snapshot().holding_back);
}

fn refusing(count: u64) -> FaultRule {
    let body =
        json!({"error": {"code": "ExpiredAuthenticationToken", "message": "The access token expiry is in the past."}});
    let answer = Fault::Answer { status: 401, headers: BTreeMap::default(), body };
    FaultRule::new("GET", "contoso", answer).times(count)
}

#[tokio::test]
async fn a_token_that_arm_refuses_is_renewed_once_and_at_once() {
    let emulator = emulator().await;
    let client = client(&emulator);
    emulator.add_fault(refusing(1));
    assert_eq!(client.get(&hub(), VERSION).await.unwrap(), None);
    assert_eq!(emulator.journal_matching("POST", "/token").len(), 2);

    // What ARM still refuses is not the token: nobody signs in again and again for it.
    emulator.add_fault(refusing(u64::MAX));
    for _ in 0..3 {
        let error = client.get(&hub(), VERSION).await.unwrap_err();
        assert_eq!(error.cause, Cause::SignIn);
    }
    assert_eq!(emulator.journal_matching("POST", "/token").len(), 3);
}

#[tokio::test]
async fn a_token_that_still_lasts_serves_while_it_cannot_be_renewed() {
    // So short that it is renewed at each call.
    let emulator = emulator_with(Duration::from_mins(4)).await;
    let client = client(&emulator);
    assert_eq!(client.get(&hub(), VERSION).await.unwrap(), None);
    emulator.add_fault(FaultRule::new("POST", "/token", Fault::DropConnection(Moment::Before)));
    assert_eq!(client.get(&hub(), VERSION).await.unwrap(), None);
    assert!(emulator.journal_matching("POST", "/token").len() >= 2, "it was not renewed");
}

#[tokio::test]
async fn a_challenge_for_claims_is_told_after_one_new_token() {
    let emulator = emulator().await;
    let client = client(&emulator);
    let headers = BTreeMap::from([(
        "WWW-Authenticate".to_owned(),
        r#"Bearer error="insufficient_claims", claims="eyJhY2Nlc3NfdG9rZW4iOnt9fQ==""#.to_owned(),
    )]);
    let body = json!({"error": {"code": "AuthenticationFailed", "message": "Revoked."}});
    emulator.add_fault(FaultRule::new("GET", "contoso", Fault::Answer { status: 401, headers, body }));
    let error = client.get(&hub(), VERSION).await.unwrap_err();
    assert_eq!((error.cause, error.class), (Cause::SignIn, Class::Slow));
    assert!(error.to_string().contains("Conditional Access"), "{error}");
    assert_eq!(emulator.journal_matching("POST", "/token").len(), 2);
}

#[tokio::test]
async fn a_sign_in_that_fails_is_not_asked_for_by_everybody() {
    let emulator = emulator().await;
    let client = client_with(&emulator, "wrong", Some(emulator.ca_pem()));
    for _ in 0..20 {
        assert_eq!(client.get(&hub(), VERSION).await.unwrap_err().cause, Cause::SignIn);
    }
    assert_eq!(emulator.journal_matching("POST", "/token").len(), 1);
}

#[tokio::test]
async fn a_connection_that_breaks_is_told_with_an_id_for_the_log() {
    let emulator = emulator().await;
    let client = client(&emulator);
    emulator.add_fault(FaultRule::new("GET", "contoso", Fault::DropConnection(Moment::Before)));
    let error = client.get(&hub(), VERSION).await.unwrap_err();
    assert_eq!(error.cause, Cause::Unavailable);
    assert!(error.to_string().contains("request id"), "{error}");
}
