//! The token endpoint and bearer tokens.

use std::time::{Duration, SystemTime};

use arm_emulator::{Config, Credential, Identity, Issuer};
use jsonwebtoken::jwk::Jwk;
use jsonwebtoken::{Algorithm, EncodingKey, Header};
use rcgen::{KeyPair, PKCS_ECDSA_P256_SHA256, PKCS_RSA_SHA256};
use serde_json::{Value, json};

use crate::session::{CLIENT, Reply, SECRET, Session, config, workspace};

const ISSUER: &str = "https://issuer.example/cluster";
const SUBJECT: &str = "system:serviceaccount:foundry:operator";
const FEDERATED: &str = "22222222-0000-4000-8000-000000000002";
const ASSERTION_TYPE: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";

struct Signer {
    key: EncodingKey,
    algorithm: Algorithm,
}

impl Signer {
    fn ec() -> Self {
        let pair = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256).unwrap();
        let key = EncodingKey::from_ec_pem(pair.serialize_pem().as_bytes()).unwrap();
        Self { key, algorithm: Algorithm::ES256 }
    }

    fn rsa() -> Self {
        let pair = KeyPair::generate_for(&PKCS_RSA_SHA256).unwrap();
        let key = EncodingKey::from_rsa_pem(pair.serialize_pem().as_bytes()).unwrap();
        Self { key, algorithm: Algorithm::RS256 }
    }

    fn jwks(&self) -> Value {
        let mut jwk = Jwk::from_encoding_key(&self.key, self.algorithm).unwrap();
        jwk.common.key_id = Some("key-1".to_owned());
        json!({"keys": [jwk]})
    }

    fn sign(&self, claims: &Value) -> String {
        let mut header = Header::new(self.algorithm);
        header.kid = Some("key-1".to_owned());
        jsonwebtoken::encode(&header, claims, &self.key).unwrap()
    }
}

fn seconds_from_now(seconds: i64) -> i64 {
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap().as_secs();
    i64::try_from(now).unwrap() + seconds
}

fn claims() -> Value {
    json!({
        "iss": ISSUER,
        "sub": SUBJECT,
        "aud": ["api://AzureADTokenExchange"],
        "iat": seconds_from_now(-10),
        "nbf": seconds_from_now(-10),
        "exp": seconds_from_now(3600)
    })
}

fn federation(signer: &Signer) -> Config {
    let mut config = config();
    config.issuers.push(Issuer { url: ISSUER.to_owned(), jwks: signer.jwks() });
    config.identities.push(Identity {
        client_id: FEDERATED.to_owned(),
        credential: Credential::Federated { issuer: ISSUER.to_owned(), subject: SUBJECT.to_owned() },
    });
    config
}

async fn present(session: &Session, client: &str, assertion: &str) -> Reply {
    session
        .sign_in(&[("client_id", client), ("client_assertion_type", ASSERTION_TYPE), ("client_assertion", assertion)])
        .await
}

fn assert_refused(reply: &Reply, status: u16, code: u32) {
    assert_eq!(reply.status, status, "{}", reply.text);
    assert_eq!(reply.body()["error_codes"], json!([code]), "{}", reply.text);
    let description = reply.body()["error_description"].as_str().unwrap().to_owned();
    assert!(description.starts_with(&format!("AADSTS{code}: ")), "{description}");
}

#[tokio::test]
async fn a_federated_identity_gets_a_token_that_arm_takes() {
    for signer in [Signer::ec(), Signer::rsa()] {
        let mut session = Session::with(federation(&signer)).await;
        let reply = present(&session, &FEDERATED.to_uppercase(), &signer.sign(&claims())).await;
        assert_eq!(reply.status, 200, "{}", reply.text);
        assert_eq!(reply.body()["token_type"], "Bearer");
        assert_eq!(reply.body()["expires_in"], 3600);
        session.token = reply.body()["access_token"].as_str().unwrap().to_owned();
        assert_eq!(session.get(&workspace("nothing")).await.code(), "ResourceNotFound");
    }
}

#[tokio::test]
async fn each_flaw_of_an_assertion_has_its_own_refusal() {
    let (signer, stranger) = (Signer::ec(), Signer::ec());
    let session = Session::with(federation(&signer)).await;
    let with = |name: &str, value: Value| {
        let mut claims = claims();
        claims[name] = value;
        signer.sign(&claims)
    };
    let flaws = [
        (with("iss", json!("https://other.example")), 700_211),
        (with("sub", json!("system:serviceaccount:foundry:other")), 700_213),
        (with("aud", json!("api://other")), 700_212),
        (with("exp", json!(seconds_from_now(-3600))), 700_024),
        (with("nbf", json!(seconds_from_now(3600))), 700_024),
        (stranger.sign(&claims()), 50_013),
        ("not.a.token".to_owned(), 50_027),
    ];
    for (assertion, code) in flaws {
        assert_refused(&present(&session, FEDERATED, &assertion).await, 401, code);
    }
    assert_refused(&present(&session, CLIENT, &signer.sign(&claims())).await, 401, 70_025);
}

#[tokio::test]
async fn an_unsigned_assertion_is_refused() {
    let signer = Signer::ec();
    let session = Session::with(federation(&signer)).await;
    let assertion = signer.sign(&claims());
    let (unsigned, _) = assertion.rsplit_once('.').unwrap();
    assert_refused(&present(&session, FEDERATED, &format!("{unsigned}.")).await, 401, 50_013);
}

#[tokio::test]
async fn wrong_secrets_clients_tenants_and_scopes_are_refused() {
    let session = Session::start().await;
    let secret = [("client_id", CLIENT), ("client_secret", SECRET)];
    assert_refused(&session.sign_in(&[("client_id", CLIENT), ("client_secret", "wrong")]).await, 401, 7_000_215);
    assert_refused(&session.sign_in(&[("client_id", "nobody"), ("client_secret", SECRET)]).await, 400, 700_016);
    assert_refused(&session.sign_in(&[("client_id", CLIENT)]).await, 401, 7_000_218);
    assert_refused(&session.token_request("elsewhere", &secret).await, 400, 90_002);
    let scoped = |scope| [secret.as_slice(), &[("scope", scope)]].concat();
    assert_refused(&session.sign_in(&scoped("https://graph.microsoft.com/.default")).await, 400, 500_011);
    assert_refused(&session.sign_in(&scoped("openid")).await, 400, 1_002_012);
    let grant = [secret.as_slice(), &[("grant_type", "password")]].concat();
    assert_refused(&session.sign_in(&grant).await, 400, 70_003);
}

#[tokio::test]
async fn a_token_for_the_emulators_own_endpoint_is_taken() {
    let mut session = Session::start().await;
    let scope = format!("{}/.default", session.emulator.endpoint());
    let fields = [("client_id", CLIENT), ("client_secret", SECRET), ("scope", scope.as_str())];
    session.token = session.sign_in(&fields).await.body()["access_token"].as_str().unwrap().to_owned();
    assert_eq!(session.get(&workspace("nothing")).await.status, 404);
}

#[tokio::test]
async fn arm_refuses_missing_foreign_and_expired_tokens() {
    let mut session = Session::with(Config { token_lifetime: Duration::from_secs(1), ..config() }).await;
    let url = format!("{}{}?api-version=2025-12-01", session.emulator.endpoint(), workspace("hub"));
    let missing = crate::session::reply(session.http.get(&url)).await;
    assert_eq!((missing.status, missing.code().as_str()), (401, "AuthenticationFailed"));
    assert!(missing.header("www-authenticate").starts_with("Bearer authorization_uri="));

    tokio::time::sleep(Duration::from_millis(2100)).await;
    let expired = session.get(&workspace("hub")).await;
    assert_eq!((expired.status, expired.code().as_str()), (401, "ExpiredAuthenticationToken"));

    "made.up.token".clone_into(&mut session.token);
    let foreign = session.get(&workspace("hub")).await;
    assert_eq!((foreign.status, foreign.code().as_str()), (401, "InvalidAuthenticationToken"));
}

#[tokio::test]
async fn identities_and_issuers_can_be_added_while_it_runs() {
    let signer = Signer::ec();
    let session = Session::start().await;
    let added = session
        .control(
            "POST",
            "identities",
            Some(json!({
                "clientId": FEDERATED,
                "federated": {"issuer": ISSUER, "subject": SUBJECT},
                "issuer": {"url": ISSUER, "jwks": signer.jwks()}
            })),
        )
        .await;
    assert_eq!(added.status, 204, "{}", added.text);
    assert_eq!(present(&session, FEDERATED, &signer.sign(&claims())).await.status, 200);
}
