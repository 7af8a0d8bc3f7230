//! The ARM client's transport, against servers that do one thing.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use arm_emulator::{Config, Credential, Emulator, Identity};
use foundry_operator::arm::credential::{Cloud, SignIn};
use foundry_operator::arm::{ArmError, ArmId, ArmMetrics, Client, Fence, Tokens, Transport};
use prometheus::Registry;
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};

const CLIENT_ID: &str = "00000000-0000-4000-8000-0000000000f0";

/// A server that answers every request with the same bytes, and beside it somebody who gives tokens for it.
struct Server {
    endpoint: String,
    connections: Arc<AtomicUsize>,
    /// What was asked, without bodies.
    requests: Arc<Mutex<Vec<String>>>,
    /// The certificates of both.
    trusted: TempDir,
    authority: Emulator,
}

impl Server {
    async fn start(head: &str, body: &[u8]) -> Self {
        let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
        let identity = Identity { client_id: CLIENT_ID.into(), credential: Credential::Secret("secret".into()) };
        let authority = Emulator::start(Config { identities: vec![identity], ..Config::default() }).await.unwrap();
        let own = rcgen::generate_simple_self_signed(["127.0.0.1".to_owned()]).unwrap();
        let trusted = TempDir::new().unwrap();
        std::fs::write(trusted.path().join("ca.pem"), [authority.ca_pem(), &own.cert.pem()].concat()).unwrap();
        let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(own.signing_key.serialize_der()));
        let tls = ServerConfig::builder().with_no_client_auth().with_single_cert(vec![own.cert.der().clone()], key);
        let acceptor = TlsAcceptor::from(Arc::new(tls.unwrap()));

        let answer = [format!("{head}content-length: {}\r\n\r\n", body.len()).as_bytes(), body].concat();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let endpoint = format!("https://{}", listener.local_addr().unwrap());
        let server = Self { endpoint, connections: Arc::default(), requests: Arc::default(), trusted, authority };
        let (connections, requests) = (server.connections.clone(), server.requests.clone());
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                connections.fetch_add(1, Ordering::Relaxed);
                let (acceptor, answer, requests) = (acceptor.clone(), answer.clone(), requests.clone());
                tokio::spawn(async move {
                    if let Ok(stream) = acceptor.accept(stream).await {
                        serve(stream, answer, requests).await;
                    }
                });
            }
        });
        server
    }

    fn client(&self) -> Client {
        let cloud = Cloud {
            arm_endpoint: self.endpoint.clone(),
            arm_audience: self.authority.endpoint().to_owned(),
            authority_host: self.authority.endpoint().to_owned(),
            studio: "https://ai.azure.com",
        };
        let (tenant_id, secret) = (self.authority.tenant_id().to_owned(), "secret".to_owned().into());
        let sign_in = SignIn::ClientSecret { client_id: CLIENT_ID.into(), tenant_id, secret };
        let transport = Arc::new(Transport::new(Some(self.trusted.path().join("ca.pem"))));
        let metrics = ArmMetrics::new(&Registry::new()).unwrap();
        let tokens = Tokens::new(sign_in, cloud, transport.clone(), metrics.clone());
        Client::new(transport, self.endpoint.parse().unwrap(), tokens, metrics, Fence::unlimited())
    }

    async fn get(&self) -> Result<Option<Value>, ArmError> {
        self.client().get(&hub(), "2025-12-01").await
    }

    fn requests(&self) -> Vec<String> {
        self.requests.lock().unwrap().clone()
    }
}

async fn serve(mut stream: impl AsyncRead + AsyncWrite + Unpin, answer: Vec<u8>, requests: Arc<Mutex<Vec<String>>>) {
    let (mut read, mut buffer) = (Vec::new(), [0; 4096]);
    while let Ok(length @ 1..) = stream.read(&mut buffer).await {
        read.extend_from_slice(&buffer[..length]);
        if read.ends_with(b"\r\n\r\n") {
            requests.lock().unwrap().push(String::from_utf8_lossy(&std::mem::take(&mut read)).to_lowercase());
            // A client that has read enough may have gone.
            let _ = stream.write_all(&answer).await;
        }
    }
}

fn hub() -> ArmId {
    ArmId::workspace("00000000-0000-4000-8000-000000000001", "rg", "contoso").unwrap()
}

#[tokio::test]
async fn calls_one_after_the_other_share_a_connection() {
    let server = Server::start("HTTP/1.1 200 OK\r\n", b"{}").await;
    let client = server.client();
    for _ in 0..5 {
        client.get(&hub(), "2025-12-01").await.unwrap();
    }
    assert_eq!(server.requests().len(), 5);
    assert_eq!(server.connections.load(Ordering::Relaxed), 1);
}

#[tokio::test]
async fn answers_may_come_compressed() {
    // `{"kind":"Hub"}` as gzip writes it.
    const COMPRESSED: [u8; 34] = [
        31, 139, 8, 0, 0, 0, 0, 0, 2, 255, 171, 86, 202, 206, 204, 75, 81, 178, 82, 242, 40, 77, 82, 170, 5, 0, 194,
        167, 37, 16, 14, 0, 0, 0,
    ];
    let server = Server::start("HTTP/1.1 200 OK\r\ncontent-encoding: gzip\r\n", &COMPRESSED).await;
    assert_eq!(server.get().await.unwrap(), Some(json!({"kind": "Hub"})));
    assert!(server.requests()[0].contains("accept-encoding: gzip"), "{:?}", server.requests());
}

#[tokio::test]
async fn a_redirect_is_not_followed_with_the_token() {
    let elsewhere = Server::start("HTTP/1.1 200 OK\r\n", b"{}").await;
    let head = format!("HTTP/1.1 302 Found\r\nlocation: {}/\r\n", elsewhere.endpoint);
    let server = Server::start(&head, b"").await;
    assert_eq!(server.get().await.unwrap_err().status, Some(302));
    assert_eq!(elsewhere.requests().len(), 0);
}

#[tokio::test]
async fn an_answer_without_end_is_given_up() {
    let server = Server::start("HTTP/1.1 200 OK\r\n", &vec![b' '; 5 << 20]).await;
    let error = server.get().await.unwrap_err();
    assert!(error.message.contains("longer than"), "{error}");
}
