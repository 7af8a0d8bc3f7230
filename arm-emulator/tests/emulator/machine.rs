//! The identity endpoint of the machine.

use arm_emulator::{Config, Credential, Identity, Machine};
use serde_json::json;

use crate::session::{Reply, Session, config, reply, workspace};

const MANAGED: &str = "11111111-0000-4000-8000-0000000000aa";
const RESOURCE: &str = "https://management.azure.com";

async fn session(identities: &[&str]) -> Session {
    let mut config = Config { machine: Some(Machine::default()), ..config() };
    let assigned =
        identities.iter().map(|id| Identity { client_id: (*id).to_owned(), credential: Credential::Machine });
    config.identities.extend(assigned);
    Session::with(config).await
}

async fn ask(session: &Session, path: &str, query: &[(&str, &str)], header: (&str, &str)) -> Reply {
    let url = format!("{}{path}", session.emulator.identity_endpoint().unwrap());
    reply(session.http.get(url).query(query).header(header.0, header.1)).await
}

async fn virtual_machine(session: &Session, query: &[(&str, &str)]) -> Reply {
    let query = [&[("api-version", "2019-08-01"), ("resource", RESOURCE)], query].concat();
    ask(session, "/metadata/identity/oauth2/token", &query, ("Metadata", "true")).await
}

#[tokio::test]
async fn a_machine_gets_a_token_that_arm_takes() {
    let mut session = session(&[MANAGED]).await;
    let reply = virtual_machine(&session, &[]).await;
    assert_eq!(reply.status, 200, "{}", reply.text);
    let body = reply.body();
    assert_eq!((&body["client_id"], &body["token_type"]), (&json!(MANAGED), &json!("Bearer")));
    assert!(body["expires_on"].as_str().unwrap().parse::<i64>().is_ok(), "{body}");
    body["access_token"].as_str().unwrap().clone_into(&mut session.token);
    assert_eq!(session.get(&workspace("nothing")).await.status, 404);
    let called = session.emulator.journal_matching("GET", "/metadata/identity");
    assert_eq!(called[0].client_id.as_deref(), Some(MANAGED));
}

#[tokio::test]
async fn who_does_not_ask_as_documented_gets_nothing() {
    let session = session(&[MANAGED]).await;
    let path = "/metadata/identity/oauth2/token";
    let query = [("api-version", "2019-08-01"), ("resource", RESOURCE)];
    assert_eq!(ask(&session, path, &query, ("Accept", "*/*")).await.body()["error"], "bad_request_102");
    let incomplete = ask(&session, path, &query[..1], ("Metadata", "true")).await;
    assert_eq!((incomplete.status, &incomplete.body()["error"]), (400, &json!("invalid_request")));
}

#[tokio::test]
async fn an_identity_that_the_machine_does_not_have_is_not_found() {
    let reply = virtual_machine(&session(&[MANAGED]).await, &[("client_id", "other")]).await;
    assert_eq!((reply.status, reply.body()["error_description"].as_str()), (400, Some("Identity not found")));
}

#[tokio::test]
async fn one_of_several_identities_has_to_be_named() {
    let session = session(&[MANAGED, "11111111-0000-4000-8000-0000000000ab"]).await;
    assert_eq!(virtual_machine(&session, &[]).await.status, 400);
    assert_eq!(virtual_machine(&session, &[("client_id", MANAGED)]).await.status, 200);
}

#[tokio::test]
async fn an_app_shows_the_header_that_it_was_given() {
    let session = session(&[MANAGED]).await;
    let query = [("api-version", "2019-08-01"), ("resource", RESOURCE)];
    assert_eq!(ask(&session, "/msi/token", &query, ("X-IDENTITY-HEADER", "emulated")).await.status, 200);
    assert_eq!(ask(&session, "/msi/token", &query, ("X-IDENTITY-HEADER", "guessed")).await.status, 401);
}

#[tokio::test]
async fn an_identity_can_be_assigned_while_it_runs() {
    let session = session(&[]).await;
    assert_eq!(virtual_machine(&session, &[]).await.status, 400);
    let added = session.control("POST", "identities", Some(json!({"clientId": MANAGED, "machine": true}))).await;
    assert_eq!(added.status, 204, "{}", added.text);
    assert_eq!(virtual_machine(&session, &[]).await.status, 200);
}
