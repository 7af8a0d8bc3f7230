//! What is set up wrongly: one clear condition that says what mends it, an operator that neither ends nor calls all the time,
//! and that goes on by itself once it is mended.

use std::fs;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use arm_emulator::{Credential, Emulator, Identity};
use foundry_operator::api::FoundryHub;
use jiff::Timestamp;
use stage::{Azure, OPERATOR_CLIENT_ID};
use tempfile::TempDir;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, copy_bidirectional};
use tokio::net::{TcpListener, TcpStream};

use crate::harness::{Scene, Setting, cluster, quick_azure};

fn says(message: &str, parts: &[&str]) {
    for part in parts {
        assert!(message.contains(part), "no {part} in: {message}");
    }
}

/// When the operator tried to sign in in vain.
fn failed_sign_ins(scene: &Scene) -> Vec<Timestamp> {
    times_of(scene, "sign-in failed")
}

fn times_of(scene: &Scene, what: &str) -> Vec<Timestamp> {
    let log = scene.log();
    let lines = log.lines().filter_map(|line| serde_json::from_str::<serde_json::Value>(line).ok());
    let about = lines.filter(|line| line["message"] == what);
    about.map(|line| line["timestamp"].as_str().unwrap().parse().unwrap()).collect()
}

/// Waits for four attempts, and looks whether the pauses between them grow.
#[expect(clippy::print_stdout, reason = "how often is for people to judge")]
async fn backs_off(scene: &Scene, attempts: impl Fn(&Scene) -> Vec<Timestamp>) {
    scene.eventually("tried four times", || attempts(scene).len() >= 4).await;
    let times = attempts(scene);
    let pauses: Vec<f64> = times.windows(2).take(3).map(|pair| pair[1].duration_since(pair[0]).as_secs_f64()).collect();
    println!(
        "pauses between attempts: {pauses:.1?} s; {:.1} attempts a minute",
        60.0 * 3.0 / pauses.iter().sum::<f64>()
    );
    assert!(pauses.windows(2).all(|pair| pair[1] > pair[0]), "{pauses:?}");
}

async fn heals(scene: &Scene) {
    scene.until_ready::<FoundryHub>(&scene.platform, "contoso").await;
    assert_eq!(scene.metric("foundry_arm_signed_in").await, 1);
}

#[tokio::test]
async fn a_ca_bundle_with_the_wrong_authority_is_told_and_picked_up_when_it_is_replaced() {
    let folder = TempDir::new().unwrap();
    let file = folder.path().join("ca.pem");
    let somebody_elses = Emulator::start(quick_azure()).await.unwrap();
    fs::write(&file, somebody_elses.ca_pem()).unwrap();
    let environment = vec![("FOUNDRY_CA_BUNDLE", file.display().to_string())];
    let scene = Scene::with(Setting { environment, ..Setting::default() }).await;
    let message = scene.failing_hub("SignInFailed").await;
    says(&message, &["certificate", "--ca-bundle", "without a restart"]);
    backs_off(&scene, failed_sign_ins).await;
    assert_eq!(scene.azure.journal().len(), 0);
    fs::write(&file, scene.azure.ca_pem()).unwrap();
    heals(&scene).await;
}

#[tokio::test]
async fn a_ca_bundle_that_is_not_there_is_told_and_picked_up_when_it_is() {
    let folder = TempDir::new().unwrap();
    let file = folder.path().join("ca.pem");
    let environment = vec![("FOUNDRY_CA_BUNDLE", file.display().to_string())];
    let scene = Scene::with(Setting { environment, ..Setting::default() }).await;
    let message = scene.failing_hub("Misconfigured").await;
    says(&message, &["--ca-bundle", &file.display().to_string(), "No such file"]);
    fs::write(&file, scene.azure.ca_pem()).unwrap();
    heals(&scene).await;
}

/// Where connections to a port lead.
#[derive(Clone, Copy)]
enum Door {
    /// To a server that speaks plain HTTP.
    PlainHttp,
    To(SocketAddr),
}

/// A port whose door can be changed, as an https address.
async fn port(door: Arc<Mutex<Door>>) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let door = *door.lock().unwrap();
            tokio::spawn(async move {
                match door {
                    Door::To(there) => {
                        let mut on = TcpStream::connect(there).await.unwrap();
                        let _ended = copy_bidirectional(&mut stream, &mut on).await;
                    }
                    Door::PlainHttp => {
                        let _read = stream.read(&mut [0; 512]).await;
                        let _sent = stream.write_all(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n").await;
                    }
                }
            });
        }
    });
    format!("https://{address}")
}

/// A scene whose operator reaches ARM, but not sign-in, through a door.
async fn behind(azure: Azure, door: &Arc<Mutex<Door>>) -> Scene {
    let endpoint = port(door.clone()).await;
    let environment = vec![("FOUNDRY_ARM_ENDPOINT", endpoint), ("FOUNDRY_ARM_AUDIENCE", azure.endpoint().to_owned())];
    Scene::beside(azure, Setting { environment, ..Setting::default() }).await
}

#[tokio::test]
async fn a_port_that_speaks_plain_http_is_told_and_heals_when_it_speaks_tls() {
    let azure = Azure::start(cluster(), quick_azure()).await.unwrap();
    let door = Arc::new(Mutex::new(Door::PlainHttp));
    let scene = behind(azure, &door).await;
    let message = scene.failing_hub("AzureUnavailable").await;
    says(&message, &["does not speak TLS", "--arm-endpoint"]);
    *door.lock().unwrap() = Door::To(scene.azure.address());
    heals(&scene).await;
}

#[tokio::test]
async fn a_server_with_a_certificate_of_another_authority_is_told_and_heals_when_it_has_the_right_one() {
    let azure = Azure::start(cluster(), quick_azure()).await.unwrap();
    let somebody_else = Emulator::start(quick_azure()).await.unwrap();
    let door = Arc::new(Mutex::new(Door::To(somebody_else.address())));
    let scene = behind(azure, &door).await;
    let message = scene.failing_hub("AzureUnavailable").await;
    says(&message, &["certificate", "--ca-bundle"]);
    assert_eq!(somebody_else.journal().len(), 0);
    *door.lock().unwrap() = Door::To(scene.azure.address());
    heals(&scene).await;
}

#[tokio::test]
async fn an_http_endpoint_is_told_and_no_token_is_asked_for() {
    let azure = Azure::start(cluster(), quick_azure()).await.unwrap();
    let endpoint = azure.endpoint().replace("https:", "http:");
    let environment = vec![("FOUNDRY_ARM_ENDPOINT", endpoint)];
    let mut scene = Scene::beside(azure, Setting { environment, ..Setting::default() }).await;
    let message = scene.failing_hub("Misconfigured").await;
    says(&message, &["--arm-endpoint", "not https", "restart"]);
    let (status, body) = scene.http("/readyz").await;
    assert_eq!(status, 503);
    says(&body, &["--arm-endpoint"]);
    assert_eq!(scene.http("/healthz").await.0, 200);
    assert_eq!(scene.azure.journal().len(), 0);
    let endpoint = scene.azure.endpoint().to_owned();
    scene.restart_with("FOUNDRY_ARM_ENDPOINT", &endpoint);
    heals(&scene).await;
}

#[tokio::test]
async fn an_http_authority_is_told_and_nothing_is_sent_there() {
    let azure = Azure::start(cluster(), quick_azure()).await.unwrap();
    let environment = vec![("AZURE_AUTHORITY_HOST", azure.endpoint().replace("https:", "http:"))];
    let scene = Scene::beside(azure, Setting { environment, ..Setting::default() }).await;
    let message = scene.failing_hub("SignInFailed").await;
    says(&message, &["--authority-host", "https", "restart"]);
    assert_eq!(scene.azure.journal().len(), 0);
}

#[tokio::test]
async fn a_wrong_tenant_is_told_and_asked_for_ever_less_often() {
    let tenant = "00000000-0000-4000-8000-0000000000ee";
    let environment = vec![("AZURE_TENANT_ID", tenant.to_owned())];
    let mut scene = Scene::with(Setting { environment, ..Setting::default() }).await;
    let message = scene.failing_hub("SignInFailed").await;
    says(&message, &["AADSTS90002", tenant, "--tenant-id"]);
    backs_off(&scene, |scene| scene.azure.journal_matching("POST", "/token").iter().map(|call| call.time).collect())
        .await;
    let tenant = scene.azure.tenant_id().to_owned();
    scene.restart_with("AZURE_TENANT_ID", &tenant);
    heals(&scene).await;
}

#[tokio::test]
async fn a_subject_that_is_not_registered_is_told_and_heals_when_it_is() {
    let client_id = "00000000-0000-4000-8000-0000000000ff";
    let environment = vec![("AZURE_CLIENT_ID", client_id.to_owned())];
    let scene = Scene::with(Setting { environment, ..Setting::default() }).await;
    let right = stage::operator_credential(cluster());
    let Credential::Federated { issuer, subject } = right.clone() else { panic!("{right:?}") };
    let credential = Credential::Federated { issuer, subject: "system:serviceaccount:other:other".into() };
    scene.azure.register_identity(Identity { client_id: client_id.into(), credential });
    let message = scene.failing_hub("SignInFailed").await;
    says(&message, &["AADSTS700213", &subject, client_id, "federated-credential create", "subject"]);
    scene.azure.register_identity(Identity { client_id: client_id.into(), credential: right });
    heals(&scene).await;
}

#[tokio::test]
async fn a_revoked_role_is_told_with_the_command_that_gives_it_and_heals_when_it_is_granted() {
    let scene = Scene::new().await;
    let action = "Microsoft.MachineLearningServices/workspaces/write";
    scene.azure.revoke(OPERATOR_CLIENT_ID, action);
    let message = scene.failing_hub("Forbidden").await;
    says(&message, &[action, "correlation id", "az role assignment create --assignee-object-id"]);
    says(&message, &["--role \"Azure AI Administrator\"", "/resourceGroups/rg-ai\";"]);
    scene.azure.grant(OPERATOR_CLIENT_ID, action);
    heals(&scene).await;
    // One that was refused, and one that was not: whoever may not does not ask all the time.
    assert_eq!(scene.calls("PUT", "/workspaces/").len(), 2);
}
