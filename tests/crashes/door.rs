//! A proxy in front of the API server or of ARM, through which the operator's requests pass.

use std::convert::Infallible;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::{Body, Bytes, to_bytes};
use axum::extract::{Request, State};
use axum::http::response::Parts;
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use axum::serve::Listener;
use futures::StreamExt as _;
use rustls::pki_types::PrivateKeyDer;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

use crate::border::{Border, Call, Moment, Side};
use crate::memory::{Answer, Asked};

const LARGEST_BODY: usize = 4 * 1024 * 1024;
/// For how long the operator believes an event that is not the newest.
const STAYS_OLD: Duration = Duration::from_millis(200);

/// A server certificate that is its own authority.
pub struct Certificate {
    pub pem: String,
    server: Arc<rustls::ServerConfig>,
}

impl Certificate {
    pub fn new() -> Self {
        let own = rcgen::generate_simple_self_signed(["127.0.0.1".to_owned()]).unwrap();
        let key = PrivateKeyDer::Pkcs8(own.signing_key.serialize_der().into());
        let server = rustls::ServerConfig::builder().with_no_client_auth();
        let server = server.with_single_cert(vec![own.cert.der().clone()], key).unwrap();
        Self { pem: own.cert.pem(), server: Arc::new(server) }
    }
}

/// A running proxy. It ends when it is dropped.
pub struct Door {
    /// `https://127.0.0.1:PORT`.
    pub endpoint: String,
    tasks: [JoinHandle<()>; 2],
}

impl Drop for Door {
    fn drop(&mut self) {
        self.tasks.iter().for_each(JoinHandle::abort);
    }
}

struct Passage {
    side: Side,
    border: Arc<Border>,
    http: reqwest::Client,
    /// The server behind the door.
    behind: String,
    endpoint: String,
}

impl Door {
    pub async fn open(side: Side, behind: &str, ca: &str, certificate: &Certificate, border: Arc<Border>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let endpoint = format!("https://{address}");
        let authority = reqwest::Certificate::from_pem(ca.as_bytes()).unwrap();
        let http = reqwest::Client::builder().tls_certs_only([authority]).no_proxy().no_gzip().build().unwrap();
        let passage = Passage { side, border, http, behind: behind.to_owned(), endpoint: endpoint.clone() };
        let router = Router::new().fallback(pass).with_state(Arc::new(passage));
        let (send, accepted) = mpsc::channel(16);
        let acceptor = TlsAcceptor::from(Arc::clone(&certificate.server));
        let accepting = tokio::spawn(async move {
            while let Ok((stream, from)) = listener.accept().await {
                let (acceptor, send) = (acceptor.clone(), send.clone());
                tokio::spawn(async move {
                    let _ = stream.set_nodelay(true);
                    if let Ok(stream) = acceptor.accept(stream).await {
                        let _ = send.send((stream, from)).await;
                    }
                });
            }
        });
        let serving = tokio::spawn(async move {
            let _ = axum::serve(Accepted { accepted, address }, router).await;
        });
        Self { endpoint, tasks: [accepting, serving] }
    }
}

/// Connections that have shaken hands.
struct Accepted {
    accepted: mpsc::Receiver<(TlsStream<TcpStream>, SocketAddr)>,
    address: SocketAddr,
}

impl Listener for Accepted {
    type Io = TlsStream<TcpStream>;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (Self::Io, Self::Addr) {
        match self.accepted.recv().await {
            Some(accepted) => accepted,
            None => std::future::pending().await,
        }
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        Ok(self.address)
    }
}

async fn pass(State(passage): State<Arc<Passage>>, request: Request) -> Response {
    let (parts, body) = request.into_parts();
    let Ok(body) = to_bytes(body, LARGEST_BODY).await else { return StatusCode::BAD_REQUEST.into_response() };
    let border = &passage.border;
    let uri = parts.uri.clone();
    let (path, query) = (uri.path(), uri.query().unwrap_or_default());
    let call = Call::of(passage.side, parts.method.as_str(), path, query, &body, &border.name());
    let passing = call.as_ref().map(|call| border.enter(call));
    let held = passing.as_ref().and_then(|(_, held)| *held);
    if held == Some(Moment::Before) {
        border.hold().await;
    }
    let mut headers = parts.headers;
    for own in [header::HOST, header::CONTENT_LENGTH, header::TRANSFER_ENCODING, header::CONNECTION] {
        headers.remove(own);
    }
    let mut written = Vec::new();
    match (passage.side, parts.method == Method::GET) {
        (Side::Kubernetes, true) if !query.contains("watch=") => {
            if let Some(old) = border.old_list(path).or_else(|| border.old_object(path)) {
                return ([(header::CONTENT_TYPE, "application/json")], old).into_response();
            }
        }
        (Side::Azure, true) if call.is_some() => {
            if let Some(old) = border.reads(path, Asked { uri: uri.clone(), headers: headers.clone() }) {
                return (old.status, old.headers, old.body).into_response();
            }
        }
        (Side::Azure, false) if call.is_some() => written = passage.about_to_write(path).await,
        _ => {}
    }
    let to = format!("{}{}", passage.behind, uri);
    let answer = passage.http.request(parts.method, to).headers(headers).body(body).send().await;
    let Ok(answer) = answer else { return StatusCode::BAD_GATEWAY.into_response() };
    if passage.side == Side::Kubernetes && call.is_none() {
        // A watch has no end.
        let (parts, body) = parts_of(answer);
        let watches = query.contains("watch=") && path.contains("/foundryoperator.dev/");
        return Response::from_parts(parts, if watches { events(body, Arc::clone(border)) } else { body });
    }
    let Some(answer) = passage.whole(answer).await else { return StatusCode::BAD_GATEWAY.into_response() };
    if held == Some(Moment::After) {
        border.hold().await;
    }
    if answer.status.is_success() {
        border.wrote(written);
    }
    (answer.status, answer.headers, answer.body).into_response()
}

fn parts_of(answer: reqwest::Response) -> (Parts, Body) {
    let (mut parts, body) = axum::http::Response::from(answer).into_parts();
    parts.headers.remove(header::TRANSFER_ENCODING);
    parts.headers.remove(header::CONNECTION);
    (parts, Body::new(body))
}

/// The events of a watch, with those that come again.
fn events(body: Body, border: Arc<Border>) -> Body {
    let (send, receive) = futures::channel::mpsc::unbounded();
    tokio::spawn(async move {
        let (mut body, mut rest, mut before) = (body.into_data_stream(), Vec::new(), None);
        while let Some(Ok(bytes)) = body.next().await {
            rest.extend_from_slice(&bytes);
            while let Some(end) = rest.iter().position(|byte| *byte == b'\n') {
                let event: Vec<u8> = rest.drain(..=end).collect();
                let mut events = vec![event.clone()];
                if border.repeats(&String::from_utf8_lossy(&event)) {
                    events.extend(before.replace(event.clone()));
                    events.push(event);
                }
                for (place, event) in events.into_iter().enumerate() {
                    // The operator is given time to act on what is old.
                    tokio::time::sleep(if place == 2 { STAYS_OLD } else { Duration::ZERO }).await;
                    if send.unbounded_send(Ok::<_, Infallible>(event)).is_err() {
                        return;
                    }
                }
            }
        }
    });
    Body::from_stream(receive)
}

impl Passage {
    /// Keeps how that is now which a write is about to make old, where reads are to be so. Gives the paths.
    async fn about_to_write(&self, path: &str) -> Vec<String> {
        let (concerned, is_to_be_old) = self.border.concerned(path);
        for (path, Asked { uri, headers }) in concerned.iter().filter(|_| is_to_be_old).cloned() {
            let answer = self.http.get(format!("{}{uri}", self.behind)).headers(headers).send().await;
            if let Some(answer) = self.whole(answer.unwrap()).await {
                self.border.was_before(path, answer);
            }
        }
        concerned.into_iter().map(|(path, _)| path).collect()
    }

    /// A whole answer, as if it came from here.
    async fn whole(&self, answer: reqwest::Response) -> Option<Answer> {
        let (mut parts, body) = parts_of(answer);
        let body = to_bytes(body, usize::MAX).await.ok()?;
        let body = self.as_if_from_here(&mut parts.headers, body);
        Some(Answer { status: parts.status, headers: parts.headers, body })
    }

    /// ARM names itself in the URLs that it answers, and these have to lead through the door too.
    fn as_if_from_here(&self, headers: &mut HeaderMap, body: Bytes) -> Bytes {
        if self.side == Side::Kubernetes {
            return body;
        }
        for value in headers.values_mut() {
            if let Some(text) = value.to_str().ok().filter(|text| text.contains(&self.behind)) {
                *value = HeaderValue::from_str(&text.replace(&self.behind, &self.endpoint)).unwrap();
            }
        }
        match std::str::from_utf8(&body) {
            Ok(text) if text.contains(&self.behind) => {
                headers.remove(header::CONTENT_LENGTH);
                text.replace(&self.behind, &self.endpoint).into()
            }
            _ => body,
        }
    }
}
