//! What ARM answers when it does not do what it was asked, read from both envelopes and classified once (ARM reference,
//! section 7).

use std::fmt;
use std::time::Duration;

use serde_json::Value;

/// How soon, if ever, the same call may succeed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Class {
    /// Passes within seconds.
    Fast,
    /// Passes within minutes: something replicates, or somebody has to do something in Azure.
    Slow,
    /// The same call will be refused each time.
    Lasting,
}

/// What stands in the way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cause {
    /// The resource is not there.
    NotFound,
    /// Too many calls.
    Throttled,
    /// Another operation is at work on the same or a parent resource.
    Busy,
    /// ARM or the network fails.
    Unavailable,
    /// No token, or none that ARM takes.
    SignIn,
    /// The identity may not do this.
    Forbidden,
    /// Something that the resource needs is not there, or not yet.
    DependencyMissing,
    /// The hub still has projects.
    HasProjects,
    /// The request is refused for what it says.
    Refused,
    /// The operator's own settings do not allow a call at all.
    Misconfigured,
}

/// The id by which a request can be found again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Trace {
    /// The one that ARM gave it.
    Correlation(String),
    /// Our own, where ARM gave none.
    Request(String),
}

/// A call to ARM, or an operation that it began, that did not succeed.
#[derive(Clone, Debug)]
pub struct ArmError {
    /// What stands in the way.
    pub cause: Cause,
    /// Whether it passes.
    pub class: Class,
    /// HTTP status, where ARM answered.
    pub status: Option<u16>,
    /// The most telling code of the envelope.
    pub code: String,
    /// ARM's own words.
    pub message: String,
    /// What a person can do about it.
    pub advice: Option<Box<str>>,
    /// What to name in a support ticket.
    pub trace: Option<Trace>,
    /// How long ARM asks to wait.
    pub retry_after: Option<Duration>,
}

/// Longest part of a message of Azure's that is passed on to conditions and events.
const MESSAGE_LIMIT: usize = 1024;

impl ArmError {
    /// From an answer with an error status.
    #[must_use]
    pub fn from_answer(
        status: u16,
        body: &[u8],
        correlation_id: Option<String>,
        retry_after: Option<Duration>,
    ) -> Self {
        let envelope =
            serde_json::from_slice(body).map_or_else(|_| Envelope::none(status), |v| Envelope::read(&v, status));
        let (cause, class, advice) = classify(Some(status), &envelope);
        Self {
            cause,
            class,
            status: Some(status),
            code: envelope.code,
            message: envelope.message,
            advice: advice.map(Into::into),
            trace: correlation_id.map(Trace::Correlation),
            retry_after,
        }
    }

    /// From the state of an operation that failed or was cancelled.
    #[must_use]
    pub fn from_operation(state: &str, body: &Value, correlation_id: Option<String>) -> Self {
        let mut envelope = Envelope::read(body, 0);
        if envelope.message.is_empty() {
            envelope.message = format!("the operation ended as {state} and Azure gives no cause");
        }
        if envelope.code.is_empty() {
            state.clone_into(&mut envelope.code);
        }
        let (cause, class, advice) = classify(None, &envelope);
        Self {
            cause,
            class,
            status: None,
            code: envelope.code,
            message: envelope.message,
            advice: advice.map(Into::into),
            trace: correlation_id.map(Trace::Correlation),
            retry_after: None,
        }
    }

    /// From a call that got no answer, or one that cannot be read.
    #[must_use]
    pub fn unavailable(message: impl fmt::Display) -> Self {
        Self {
            cause: Cause::Unavailable,
            class: Class::Fast,
            status: None,
            code: "NoAnswer".to_owned(),
            message: shorten(&message.to_string()),
            advice: Some(
                "check that the operator can reach the ARM endpoint (network policy, proxy, DNS, --ca-bundle)".into(),
            ),
            trace: None,
            retry_after: None,
        }
    }

    /// From settings of the operator's that do not allow a call; `advice` says what mends them.
    #[must_use]
    pub fn misconfigured(message: impl fmt::Display, advice: &'static str) -> Self {
        Self {
            cause: Cause::Misconfigured,
            class: Class::Fast,
            status: None,
            code: "Misconfigured".to_owned(),
            message: shorten(&message.to_string()),
            advice: Some(advice.into()),
            trace: None,
            retry_after: None,
        }
    }

    /// From a sign-in that gave no token.
    #[must_use]
    pub fn sign_in(message: impl fmt::Display) -> Self {
        // What follows is another one each time, and would make an old failure look like a new one.
        let message = message.to_string();
        let told = message.split("Trace ID").next().unwrap_or_default().trim_end();
        Self {
            cause: Cause::SignIn,
            class: Class::Fast,
            status: None,
            code: "SignInFailed".to_owned(),
            message: shorten(told),
            advice: Some(
                "check the operator's client id, tenant and federated credential (issuer, subject, audience)".into(),
            ),
            trace: None,
            retry_after: None,
        }
    }
}

impl fmt::Display for ArmError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({}", self.message.trim_end_matches('.'), self.code)?;
        if let Some(status) = self.status {
            write!(f, ", HTTP {status}")?;
        }
        match &self.trace {
            Some(Trace::Correlation(id)) => write!(f, ", correlation id {id}")?,
            Some(Trace::Request(id)) => write!(f, ", request id {id}")?,
            None => {}
        }
        f.write_str(")")?;
        if let Some(advice) = &self.advice {
            write!(f, ": {advice}")?;
        }
        Ok(())
    }
}

impl std::error::Error for ArmError {}

/// What both envelopes have in common.
struct Envelope {
    code: String,
    message: String,
}

impl Envelope {
    fn none(status: u16) -> Self {
        Self { code: format!("Http{status}"), message: format!("Azure answered {status} without an error it explains") }
    }

    /// The outer code is often just `UserError`, so the innermost code that says more wins.
    fn read(body: &Value, status: u16) -> Self {
        let error = &body["error"];
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        let inner = [&error["innerError"], &error["innererror"]]
            .into_iter()
            .map(|inner| text(&inner["code"]))
            .find(|code| !code.is_empty());
        let outer = text(&error["code"]);
        let code = match inner {
            Some(inner) if outer.is_empty() || outer == "UserError" => inner,
            _ => outer,
        };
        let mut message = text(&error["message"]);
        let details: Vec<String> = error["details"]
            .as_array()
            .into_iter()
            .flatten()
            .map(|detail| text(&detail["message"]))
            .filter(|detail| !detail.is_empty() && !message.contains(detail.as_str()))
            .collect();
        if !details.is_empty() {
            message = format!("{message} {}", details.join(" "));
        }
        if code.is_empty() && message.is_empty() && status != 0 {
            return Self::none(status);
        }
        Self { code, message: shorten(&message) }
    }
}

fn shorten(text: &str) -> String {
    text.chars().take(MESSAGE_LIMIT).collect()
}

/// The one place where an error gets its meaning.
fn classify(status: Option<u16>, envelope: &Envelope) -> (Cause, Class, Option<&'static str>) {
    let message = envelope.message.as_str();
    if message.contains("still has associated AI projects") {
        return (Cause::HasProjects, Class::Slow, Some("delete the hub's projects first"));
    }
    if message.contains("Soft-deleted workspace exists") {
        return (
            Cause::Refused,
            Class::Lasting,
            Some("purge or recover the soft-deleted workspace in Azure, or choose another azureName"),
        );
    }
    if message.contains("Create workspace connection failed") {
        return (Cause::Busy, Class::Fast, None);
    }
    if let Some(known) = by_code(&envelope.code) {
        return known;
    }
    match status {
        Some(401) => {
            (Cause::SignIn, Class::Slow, Some("Azure does not take the operator's token: check tenant and audience"))
        }
        Some(403) => (Cause::Forbidden, Class::Slow, Some(ASSIGN_ROLE)),
        Some(408 | 500..=599) => (Cause::Unavailable, Class::Fast, None),
        Some(409) => (Cause::Busy, Class::Fast, None),
        Some(429) => (Cause::Throttled, Class::Fast, None),
        Some(400) => (Cause::Refused, Class::Lasting, Some(MEND_SPEC)),
        _ => (Cause::Unavailable, Class::Slow, None),
    }
}

const ASSIGN_ROLE: &str = "give the operator's identity a role with this action on the scope that the message names, such as Azure AI Administrator on the resource group";
const MEND_SPEC: &str = "mend the spec and apply it again";

fn by_code(code: &str) -> Option<(Cause, Class, Option<&'static str>)> {
    Some(match code {
        "AuthorizationFailed" | "LinkedAuthorizationFailed" => (Cause::Forbidden, Class::Slow, Some(ASSIGN_ROLE)),
        // Only ARM and the service itself can say that something is not there: a 404 of a proxy's says nothing.
        "ResourceNotFound" | "NotFoundError" => (Cause::NotFound, Class::Slow, None),
        "ExpiredAuthenticationToken" => (Cause::SignIn, Class::Fast, None),
        "AnotherOperationInProgress" | "Conflict" => (Cause::Busy, Class::Fast, None),
        "ScopeLocked" => {
            (Cause::Forbidden, Class::Slow, Some("take the lock off the resource or its resource group in Azure"))
        }
        "MissingSubscriptionRegistration" => (
            Cause::DependencyMissing,
            Class::Slow,
            Some("register the resource provider: az provider register --namespace Microsoft.MachineLearningServices"),
        ),
        "ResourceGroupNotFound" => (Cause::DependencyMissing, Class::Slow, Some("create the resource group in Azure")),
        "ParentResourceNotFound" => (Cause::DependencyMissing, Class::Slow, None),
        "StorageAccountIsNotProvisioned" | "PrincipalNotFound" => (Cause::DependencyMissing, Class::Fast, None),
        "QuotaExceeded" => (Cause::Refused, Class::Slow, Some("ask for more quota in Azure, or free some")),
        "RequestDisallowedByPolicy" => (
            Cause::Refused,
            Class::Lasting,
            Some("an Azure Policy forbids this: mend the spec, or have the policy changed"),
        ),
        "BadRequest"
        | "InvalidParameter"
        | "ValidationError"
        | "PropertyChangeNotAllowed"
        | "SkuNotAvailable"
        | "LocationNotAvailableForResourceType"
        | "InvalidResourceLocation"
        | "NoRegisteredProviderFound"
        | "InvalidResourceType" => (Cause::Refused, Class::Lasting, Some(MEND_SPEC)),
        "SubscriptionNotFound" => (
            Cause::Refused,
            Class::Lasting,
            Some("check subscriptionId, and that the operator's identity has a role in that subscription"),
        ),
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(status: u16, body: &Value) -> ArmError {
        ArmError::from_answer(status, body.to_string().as_bytes(), None, None)
    }

    #[test]
    fn the_services_own_envelope_is_read_by_its_inner_code() {
        let error = answer(
            404,
            &serde_json::json!({"error": {"code": "UserError", "message": "Connection c can't be found in this workspace",
                "details": [], "innerError": {"code": "NotFoundError", "innerError": null}}, "statusCode": 404}),
        );
        assert_eq!((error.cause, error.code.as_str()), (Cause::NotFound, "NotFoundError"));
    }

    #[test]
    fn each_error_of_the_reference_is_classified() {
        #[rustfmt::skip]
        let table = [
            (400, "ValidationError", "Missing dependent resources in workspace json", Cause::Refused, Class::Lasting),
            (400, "UserError", "AI hub still has associated AI projects", Cause::HasProjects, Class::Slow),
            (400, "BadRequest", "Soft-deleted workspace exists. Please purge or recover it.", Cause::Refused, Class::Lasting),
            (400, "ValidationError", "Managed network cannot be disabled once enabled.", Cause::Refused, Class::Lasting),
            (400, "UserError", "Create workspace connection failed.", Cause::Busy, Class::Fast),
            (502, "", "", Cause::Unavailable, Class::Fast),
            (400, "StorageAccountIsNotProvisioned", "", Cause::DependencyMissing, Class::Fast),
            (408, "RequestTimeout", "", Cause::Unavailable, Class::Fast),
            (429, "TooManyRequests", "", Cause::Throttled, Class::Fast),
            (409, "AnotherOperationInProgress", "", Cause::Busy, Class::Fast),
            (409, "Conflict", "", Cause::Busy, Class::Fast),
            (403, "AuthorizationFailed", "", Cause::Forbidden, Class::Slow),
            (403, "LinkedAuthorizationFailed", "", Cause::Forbidden, Class::Slow),
            (409, "MissingSubscriptionRegistration", "", Cause::DependencyMissing, Class::Slow),
            (404, "ParentResourceNotFound", "", Cause::DependencyMissing, Class::Slow),
            (404, "ResourceGroupNotFound", "", Cause::DependencyMissing, Class::Slow),
            (400, "PrincipalNotFound", "", Cause::DependencyMissing, Class::Fast),
            (401, "ExpiredAuthenticationToken", "", Cause::SignIn, Class::Fast),
            (409, "ScopeLocked", "", Cause::Forbidden, Class::Slow),
            (403, "RequestDisallowedByPolicy", "", Cause::Refused, Class::Lasting),
            (404, "SubscriptionNotFound", "", Cause::Refused, Class::Lasting),
            (400, "QuotaExceeded", "", Cause::Refused, Class::Slow),
            (400, "SomethingNew", "", Cause::Refused, Class::Lasting),
            (418, "SomethingNew", "", Cause::Unavailable, Class::Slow),
        ];
        for (status, code, message, cause, class) in table {
            let error = answer(status, &serde_json::json!({"error": {"code": code, "message": message}}));
            assert_eq!((error.cause, error.class), (cause, class), "{status} {code} {message}");
        }
    }

    #[test]
    fn a_page_of_html_is_an_error_too() {
        for (status, code) in [(503, "Http503"), (404, "Http404")] {
            let error = ArmError::from_answer(status, b"<html>down</html>", None, None);
            assert_eq!((error.cause, error.code.as_str()), (Cause::Unavailable, code));
        }
    }

    #[test]
    fn a_failed_operation_is_judged_by_its_code() {
        let body = serde_json::json!({"status": "Failed", "error": {"code": "BadRequest", "message": "Storage Account update is not supported yet"}});
        assert_eq!(ArmError::from_operation("Failed", &body, None).class, Class::Lasting);
        let body = serde_json::json!({"status": "Canceled"});
        let cancelled = ArmError::from_operation("Canceled", &body, None);
        assert_eq!((cancelled.class, cancelled.code.as_str()), (Class::Slow, "Canceled"));
    }
}
