//! The ARM client's transport, against servers that do one thing.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use azure_core::credentials::{AccessToken, Secret, TokenCredential, TokenRequestOptions};
use azure_core::time::{Duration, OffsetDateTime};
use foundry_operator::arm::{ArmError, ArmId, Client, Tokens, credential};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

/// A server that answers every request with the same bytes.
struct Server {
    endpoint: String,
    connections: Arc<AtomicUsize>,
    /// What was asked, without bodies.
    requests: Arc<Mutex<Vec<String>>>,
}

impl Server {
    async fn start(head: &str, body: &[u8]) -> Self {
        let answer = [format!("{head}content-length: {}\r\n\r\n", body.len()).as_bytes(), body].concat();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let endpoint = format!("http://{}", listener.local_addr().unwrap());
        let server = Self { endpoint, connections: Arc::default(), requests: Arc::default() };
        let (connections, requests) = (server.connections.clone(), server.requests.clone());
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                connections.fetch_add(1, Ordering::Relaxed);
                tokio::spawn(serve(stream, answer.clone(), requests.clone()));
            }
        });
        server
    }

    fn client(&self) -> Client {
        let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
        let make = Box::new(|| Ok(Arc::new(AnyToken) as Arc<dyn TokenCredential>));
        let tokens = Tokens::new(make, &self.endpoint).unwrap();
        Client::new(credential::http_client(None).unwrap(), self.endpoint.parse().unwrap(), tokens)
    }

    async fn get(&self) -> Result<Option<Value>, ArmError> {
        self.client().get(&hub(), "2025-12-01").await
    }

    fn requests(&self) -> Vec<String> {
        self.requests.lock().unwrap().clone()
    }
}

async fn serve(mut stream: TcpStream, answer: Vec<u8>, requests: Arc<Mutex<Vec<String>>>) {
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

#[derive(Debug)]
struct AnyToken;

#[async_trait::async_trait]
impl TokenCredential for AnyToken {
    async fn get_token(&self, _: &[&str], _: Option<TokenRequestOptions<'_>>) -> azure_core::Result<AccessToken> {
        Ok(AccessToken::new(Secret::new("token"), OffsetDateTime::now_utc() + Duration::HOUR))
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
