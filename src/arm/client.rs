//! Calls to ARM: one token, one timeout, one way to read an answer.

use std::sync::Arc;
use std::time::{Duration, Instant};

use reqwest::header::{AUTHORIZATION, CONTENT_TYPE, HeaderMap, LOCATION, RETRY_AFTER, WWW_AUTHENTICATE};
use reqwest::{Method, StatusCode, Url};
use serde_json::Value;
use tokio::time::error::Elapsed;
use tracing::Instrument as _;
use tracing::field::Empty;

use super::correlation::{CorrelationId, guid};
use super::error::{ArmError, Cause, Class, Trace};
use super::fence::Fence;
use super::metrics::{self, ArmMetrics};
use super::throttle::{Caller, Lane, Outcome, Permit, Priority, Throttle};
use super::tokens::{Bearer, Tokens};
use super::transport::Transport;
use super::{ArmId, retry};

/// What the spans of calls are known by: they are for traces, and the log has the reconcile's span on each line.
pub const TRACED: &str = "foundry_operator::traces";
/// Longest time one call may take.
const CALL_TIMEOUT: Duration = Duration::from_mins(1);
/// How often a read is made before the caller hears of a failure that passes fast.
const READ_ATTEMPTS: u32 = 3;
/// A longer wait than this is the caller's business, so that nobody sleeps on a worker's place.
const LONGEST_PAUSE_IN_CALL: Duration = Duration::from_secs(5);
/// Longest wait that is believed where ARM asks for one.
const LONGEST_ASKED: Duration = Duration::from_hours(1);
/// Largest answer that is read, in bytes.
const ANSWER_LIMIT: usize = 4 << 20;
/// The version of ARM's own operations (ARM reference, section 1).
const RESOURCES_VERSION: &str = "2022-09-01";
/// Most pages of a list that are followed.
const PAGE_LIMIT: usize = 100;

/// The body of a write. It may hold secrets, so it cannot be printed.
pub struct Body(Vec<u8>);

impl Body {
    /// A body from what is to be sent.
    #[must_use]
    pub fn new(value: &Value) -> Self {
        Self(value.to_string().into_bytes())
    }
}

/// What became of a write.
#[derive(Debug)]
pub enum Written {
    /// It is done, and this is the resource now, where ARM says so.
    Done(Option<Value>),
    /// ARM accepted it and works on it; ask at `url` how it goes.
    Accepted {
        /// Verbatim as ARM gave it.
        url: String,
        /// How long ARM asks to wait before asking.
        retry_after: Option<Duration>,
    },
}

/// How a long-running operation goes.
#[derive(Debug)]
pub enum Progress {
    /// Not ended.
    Running {
        /// How long ARM asks to wait before asking again.
        retry_after: Option<Duration>,
    },
    /// Ended well.
    Succeeded,
    /// Ended otherwise.
    Failed(ArmError),
    /// ARM does not tell: it has forgotten the operation, or the identity may not read it. The resource has to be looked at.
    Untold(ArmError),
}

/// A client of one ARM endpoint with one identity. Clones share what is known of ARM.
#[derive(Clone)]
pub struct Client {
    transport: Arc<Transport>,
    endpoint: Url,
    tokens: Arc<Tokens>,
    metrics: ArmMetrics,
    fence: Fence,
    throttle: Arc<Throttle>,
    caller: Caller,
    correlation: Option<CorrelationId>,
}

struct Answer {
    status: StatusCode,
    headers: HeaderMap,
    body: Vec<u8>,
}

impl Client {
    /// `endpoint` is ARM's address; `fence` says when there may be writes.
    #[must_use]
    pub fn new(transport: Arc<Transport>, endpoint: Url, tokens: Tokens, metrics: ArmMetrics, fence: Fence) -> Self {
        let caller = Caller { share: "".into(), priority: Priority::Interactive };
        Self {
            transport,
            endpoint,
            tokens: Arc::new(tokens),
            metrics,
            fence,
            throttle: Arc::default(),
            caller,
            correlation: None,
        }
    }

    /// The same client, whose calls wait their turn on somebody's behalf, and can be found by `correlation`.
    #[must_use]
    pub fn on_behalf_of(&self, caller: Caller, correlation: CorrelationId) -> Self {
        Self { caller, correlation: Some(correlation), ..self.clone() }
    }

    /// Whether there may be writes now.
    #[must_use]
    pub fn may_write(&self) -> bool {
        self.fence.may_write()
    }

    /// What every call waits at.
    #[must_use]
    pub fn throttle(&self) -> Arc<Throttle> {
        self.throttle.clone()
    }

    /// Why no call can be made at all: a token does not travel in the open.
    #[must_use]
    pub fn misconfigured(&self) -> Option<ArmError> {
        let insecure = self.endpoint.scheme() != "https";
        insecure.then(|| ArmError {
            class: Class::Slow,
            ..ArmError::misconfigured(
                &format!("--arm-endpoint {} is not https, and a token would travel in the open", self.endpoint),
                "give --arm-endpoint an https address and restart the operator",
            )
        })
    }

    /// Reads a resource; `None` where it, or what it is part of, is not there.
    ///
    /// # Errors
    /// [`ArmError`] for any other answer, or none.
    pub async fn get(&self, id: &ArmId, api_version: &str) -> Result<Option<Value>, ArmError> {
        let url = self.url(id.as_str(), api_version);
        match self.read(url).await {
            Ok(answer) => answer.json().map(Some),
            Err(error) if is_absence(&error) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Reads every page of a collection below a resource; `None` where the resource is not there.
    ///
    /// # Errors
    /// [`ArmError`] for any other answer, or none.
    pub async fn list(&self, id: &ArmId, collection: &str, api_version: &str) -> Result<Option<Vec<Value>>, ArmError> {
        let mut url = self.url(&format!("{id}/{collection}"), api_version);
        let mut items = Vec::new();
        for _ in 0..PAGE_LIMIT {
            let mut page = match self.read(url).await {
                Ok(answer) => answer.json()?,
                Err(error) if is_absence(&error) => return Ok(None),
                Err(error) => return Err(error),
            };
            if let Some(Value::Array(values)) = page.get_mut("value").map(Value::take) {
                items.extend(values);
            }
            match page["nextLink"].as_str() {
                Some(next) if !next.is_empty() => url = self.own_url(next)?,
                _ => return Ok(Some(items)),
            }
        }
        Err(ArmError::unavailable(format!("{collection} of {id} has more than {PAGE_LIMIT} pages")))
    }

    /// Makes a resource, or replaces what it says.
    ///
    /// # Errors
    /// [`ArmError`] where ARM refuses or does not answer.
    pub async fn put(&self, id: &ArmId, api_version: &str, body: Body) -> Result<Written, ArmError> {
        self.write(Method::PUT, self.url(id.as_str(), api_version), Some(body)).await
    }

    /// Changes part of a resource.
    ///
    /// # Errors
    /// [`ArmError`] where ARM refuses or does not answer.
    pub async fn patch(&self, id: &ArmId, api_version: &str, body: Body) -> Result<Written, ArmError> {
        self.write(Method::PATCH, self.url(id.as_str(), api_version), Some(body)).await
    }

    /// Asks for an action on a resource, such as `provisionManagedNetwork`.
    ///
    /// # Errors
    /// [`ArmError`] where ARM refuses or does not answer.
    pub async fn post(&self, id: &ArmId, action: &str, api_version: &str, body: Body) -> Result<Written, ArmError> {
        self.write(Method::POST, self.url(&format!("{id}/{action}"), api_version), Some(body)).await
    }

    /// Deletes a resource; one that is gone already is a success.
    ///
    /// # Errors
    /// [`ArmError`] where ARM refuses or does not answer.
    pub async fn delete(&self, id: &ArmId, api_version: &str) -> Result<Written, ArmError> {
        match self.write(Method::DELETE, self.url(id.as_str(), api_version), None).await {
            Err(error) if is_absence(&error) => Ok(Written::Done(None)),
            other => other,
        }
    }

    /// Asks ARM to register a resource provider in a subscription; it takes its time after that.
    ///
    /// # Errors
    /// [`ArmError`] where ARM refuses or does not answer.
    pub async fn register_provider(&self, subscription: &str, namespace: &str) -> Result<(), ArmError> {
        let path = format!("/subscriptions/{subscription}/providers/{namespace}/register");
        self.send(Method::POST, self.url(&path, RESOURCES_VERSION), None).await.map(|_| ())
    }

    /// Asks how an operation goes, by `Azure-AsyncOperation` or by `Location`.
    ///
    /// # Errors
    /// [`ArmError`] where ARM does not answer: nothing is known of the operation then.
    pub async fn poll(&self, url: &str) -> Result<Progress, ArmError> {
        let url = match self.own_url(url) {
            Ok(url) => url,
            Err(error) => return Ok(Progress::Untold(error)),
        };
        let answer = match self.read(url).await {
            Ok(answer) => answer,
            Err(error) if matches!(error.status, Some(400 | 403 | 404 | 410)) => return Ok(Progress::Untold(error)),
            Err(error) => return Err(error),
        };
        let retry_after = retry_after(&answer.headers);
        // `Location` answers nothing at the end of a deletion, and nothing while it runs.
        let body = if answer.body.is_empty() { Value::Null } else { answer.json()? };
        // FACT: terminal states are exactly these three; every other word means "still running" (section 2).
        Ok(match (body["status"].as_str(), answer.status) {
            (Some("Succeeded"), _) => Progress::Succeeded,
            (Some(state @ ("Failed" | "Canceled")), _) => {
                Progress::Failed(ArmError::from_operation(state, &body, correlation_id(&answer.headers)))
            }
            (Some(_), _) | (None, StatusCode::ACCEPTED) => Progress::Running { retry_after },
            (None, _) => Progress::Succeeded,
        })
    }

    async fn write(&self, method: Method, url: Url, body: Option<Body>) -> Result<Written, ArmError> {
        let answer = self.send(method, url, body).await?;
        if answer.status != StatusCode::ACCEPTED {
            return Ok(Written::Done(serde_json::from_slice(&answer.body).ok()));
        }
        let header = |name: &str| answer.headers.get(name).and_then(|value| value.to_str().ok()).map(str::to_owned);
        let url = header("azure-asyncoperation").or_else(|| header(LOCATION.as_str())).ok_or_else(|| {
            ArmError::unavailable("Azure accepted the request but did not say where its operation can be followed")
        })?;
        Ok(Written::Accepted { url, retry_after: retry_after(&answer.headers) })
    }

    /// A read may be made again at once: it changes nothing.
    async fn read(&self, url: Url) -> Result<Answer, ArmError> {
        let mut attempt = 0;
        loop {
            let error = match self.send(Method::GET, url.clone(), None).await {
                Ok(answer) => return Ok(answer),
                Err(error) => error,
            };
            let pause = retry::pause(Class::Fast, attempt, error.retry_after, fastrand::f64()) / 4;
            attempt += 1;
            let passing = error.class == Class::Fast && matches!(error.cause, Cause::Unavailable | Cause::Throttled);
            if !passing
                || error.was_held_back()
                || attempt >= READ_ATTEMPTS
                || pause.max(error.retry_after.unwrap_or_default()) > LONGEST_PAUSE_IN_CALL
            {
                return Err(error);
            }
            tokio::time::sleep(pause.max(error.retry_after.unwrap_or_default())).await;
        }
    }

    async fn send(&self, method: Method, url: Url, body: Option<Body>) -> Result<Answer, ArmError> {
        let permit = self.throttle.admit(&self.caller, &Lane::of(&method, &url)).await?;
        // Names one request for a support ticket.
        let request_id = guid(fastrand::u128(..));
        let operation = metrics::operation(method.as_str(), url.path());
        // The path alone: an operation's query is signed.
        let span = tracing::info_span!(
            target: TRACED,
            "arm_call",
            otel.name = operation,
            otel.kind = "client",
            otel.status_code = Empty,
            azure.operation = operation,
            azure.resource_id = url.path(),
            azure.request_id = request_id,
            azure.correlation_id = Empty,
            http.request.method = method.as_str(),
            http.response.status_code = Empty,
        );
        let sent = self.make(permit, method, url, body, &request_id).instrument(span.clone()).await;
        let status = sent.as_ref().map_or_else(|error| error.status, |answer| Some(answer.status.as_u16()));
        if let Some(status) = status {
            span.record("http.response.status_code", status);
        }
        if sent.is_err() {
            span.record("otel.status_code", "error");
        }
        // Azure's word counts, should it have given the call another id than the one that it was sent.
        let given = match &sent {
            Ok(answer) => correlation_id(&answer.headers),
            Err(error) => error.correlation_id().map(str::to_owned),
        };
        if let Some(id) = given.or_else(|| self.correlation.as_ref().map(ToString::to_string)) {
            span.record("azure.correlation_id", id);
        }
        sent
    }

    async fn make(
        &self,
        permit: Permit,
        method: Method,
        url: Url,
        body: Option<Body>,
        request_id: &str,
    ) -> Result<Answer, ArmError> {
        let started = Instant::now();
        let path = url.path().to_owned();
        let exchange = self.signed_in(&method, &url, body.as_ref(), request_id);
        let outcome = tokio::time::timeout(CALL_TIMEOUT, exchange).await;
        self.count(&method, &path, &outcome, started.elapsed());
        let took = started.elapsed().as_millis();
        let unanswered = |mut error: ArmError| {
            tracing::debug!(%method, path, took, request_id, %error, "ARM call got no answer");
            error.trace = Some(Trace::Request(request_id.into()));
            error
        };
        let late = || ArmError::unavailable(format!("no answer within {CALL_TIMEOUT:?}"));
        let answer = match outcome.unwrap_or_else(|_| Err(late())) {
            Ok(answer) => answer,
            Err(error) => {
                let sent = !matches!(error.cause, Cause::SignIn | Cause::Misconfigured);
                permit.settle(&path, &if sent { Outcome::Unanswered(&error) } else { Outcome::NotSent });
                return Err(unanswered(error));
            }
        };
        let (status, retry_after) = (answer.status.as_u16(), retry_after(&answer.headers));
        permit.settle(&path, &Outcome::Answered { status, headers: &answer.headers, retry_after });
        let correlation_id = correlation_id(&answer.headers);
        tracing::debug!(%method, path, status, took, request_id, correlation_id, "ARM call");
        if answer.status.is_success() {
            return Ok(answer);
        }
        let error = ArmError::from_answer(status, &answer.body, &path, correlation_id, retry_after);
        Err(if asks_for_claims(&answer.headers) { error.for_want_of_claims() } else { error })
    }

    /// A call that was not made, for want of a token or of usable settings, is none.
    fn count(&self, method: &Method, path: &str, outcome: &Result<Result<Answer, ArmError>, Elapsed>, took: Duration) {
        let status = match outcome {
            Ok(Ok(answer)) => Some(answer.status.as_u16()),
            Ok(Err(error)) if matches!(error.cause, Cause::SignIn | Cause::Misconfigured) => return,
            Ok(Err(_)) | Err(_) => None,
        };
        self.metrics.call(metrics::operation(method.as_str(), path), status, took);
    }

    /// FACT: a token that ARM calls expired is renewed, and the call made once more at once (ARM reference, section 7).
    async fn signed_in(
        &self,
        method: &Method,
        url: &Url,
        body: Option<&Body>,
        request_id: &str,
    ) -> Result<Answer, ArmError> {
        if let Some(error) = self.misconfigured() {
            return Err(error);
        }
        let bearer = self.tokens.bearer().await?;
        let answer = self.exchange(method, url, body, request_id, &bearer).await?;
        if answer.status != StatusCode::UNAUTHORIZED || !self.tokens.renew(&bearer).await {
            return Ok(answer);
        }
        tracing::info!(request_id, "ARM refused the token; signing in anew");
        let bearer = self.tokens.bearer().await?;
        self.exchange(method, url, body, request_id, &bearer).await
    }

    async fn exchange(
        &self,
        method: &Method,
        url: &Url,
        body: Option<&Body>,
        request_id: &str,
        bearer: &Bearer,
    ) -> Result<Answer, ArmError> {
        let mut request = self
            .transport
            .client()?
            .request(method.clone(), url.clone())
            .header(AUTHORIZATION, bearer.header.clone())
            .header("x-ms-client-request-id", request_id)
            .header("x-ms-return-client-request-id", "true");
        if let Some(correlation) = &self.correlation {
            request = request.header("x-ms-correlation-request-id", correlation.as_str());
        }
        if let Some(Body(bytes)) = body {
            request = request.header(CONTENT_TYPE, "application/json").body(bytes.clone());
        }
        let unanswered = |error: reqwest::Error| {
            if error.is_connect() {
                self.transport.doubt();
            }
            ArmError::unavailable(chain(&error.without_url()))
        };
        // As late as can be: the wait for a turn, the sign-in and the connection all take their time.
        let sent = match *method {
            Method::GET => request.send().await,
            _ => self.fence.guard(request.send()).await.map_err(ArmError::unavailable)?,
        };
        let mut response = sent.map_err(unanswered)?;
        let mut read = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(unanswered)? {
            if read.len() + chunk.len() > ANSWER_LIMIT {
                return Err(ArmError::unavailable(format!("an answer longer than {ANSWER_LIMIT} bytes")));
            }
            read.extend_from_slice(&chunk);
        }
        if response.status() != StatusCode::UNAUTHORIZED {
            self.tokens.is_good(bearer);
        }
        Ok(Answer { status: response.status(), headers: std::mem::take(response.headers_mut()), body: read })
    }

    fn url(&self, path: &str, api_version: &str) -> Url {
        let mut url = self.endpoint.clone();
        let base = url.path().trim_end_matches('/').to_owned();
        url.set_path(&format!("{base}{path}"));
        url.set_query(Some(&format!("api-version={api_version}")));
        url
    }

    /// A URL that ARM gave, or that stood in a status: the token goes to ARM's own address only.
    fn own_url(&self, text: &str) -> Result<Url, ArmError> {
        followed(&self.endpoint, text)
            .ok_or_else(|| ArmError::unavailable("a link that leads away from the ARM endpoint is not followed"))
    }
}

/// The URL that a link stands for, where that is at the endpoint's own address.
fn followed(endpoint: &Url, link: &str) -> Option<Url> {
    Url::parse(link).ok().filter(|url| url.origin() == endpoint.origin())
}

impl Answer {
    fn json(&self) -> Result<Value, ArmError> {
        serde_json::from_slice(&self.body)
            .map_err(|error| ArmError::unavailable(format!("an answer that is not JSON: {error}")))
    }
}

/// FACT: what is not there, or whose workspace is not, answers 404 in either envelope (ARM reference, section 7).
fn is_absence(error: &ArmError) -> bool {
    error.status == Some(404) && (error.cause == Cause::NotFound || error.cause == Cause::DependencyMissing)
}

/// Whether an access policy asks for more than the token says (continuous access evaluation).
fn asks_for_claims(headers: &HeaderMap) -> bool {
    let challenges = headers.get_all(WWW_AUTHENTICATE).iter().filter_map(|value| value.to_str().ok());
    challenges.into_iter().any(|challenge| challenge.contains("claims="))
}

fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    headers
        .get(RETRY_AFTER)?
        .to_str()
        .ok()?
        .trim()
        .parse()
        .ok()
        .map(|seconds| Duration::from_secs(seconds).min(LONGEST_ASKED))
}

fn correlation_id(headers: &HeaderMap) -> Option<String> {
    headers.get("x-ms-correlation-request-id")?.to_str().ok().map(str::to_owned)
}

/// An error with what caused it, which is where the cause is told.
pub(super) fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(cause) = source {
        let cause_text = cause.to_string();
        if !text.contains(&cause_text) {
            text = format!("{text}: {cause_text}");
        }
        source = cause.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn no_link_leads_to_another_address(
            scheme in prop_oneof![Just("https"), Just("HTTPS"), Just("http"), Just("ftp"), Just("javascript")],
            slashes in r"[/\\]{0,3}",
            user in prop_oneof![Just(""), Just("management.azure.com@"), Just("a:b@")],
            host in prop_oneof![Just("management.azure.com"), Just("Management.Azure.Com"), Just("evil.example")],
            rest in r"[.:@/\\#?%a-z0-9\t\n]{0,24}",
        ) {
            let endpoint = Url::parse("https://management.azure.com").unwrap();
            if let Some(url) = followed(&endpoint, &format!("{scheme}:{slashes}{user}{host}{rest}")) {
                prop_assert_eq!(url.scheme(), "https");
                prop_assert_eq!(url.host_str(), Some("management.azure.com"));
                prop_assert_eq!(url.port_or_known_default(), Some(443));
            }
        }

        #[test]
        fn a_link_of_arms_own_is_followed_as_it_is(path in "[a-zA-Z0-9/]{0,20}", query in "[a-zA-Z0-9=&%_-]{0,40}") {
            let endpoint = Url::parse("https://management.azure.com").unwrap();
            let link = format!("https://management.azure.com/{path}?{query}");
            prop_assert_eq!(followed(&endpoint, &link).map(String::from), Some(link));
        }
    }
}
