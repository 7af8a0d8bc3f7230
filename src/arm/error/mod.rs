//! What ARM answers when it does not do what it was asked, read from both envelopes and classified once (ARM reference,
//! section 7): `table` says what an error means, the other modules what a person can do about it.

mod advice;
mod envelope;
mod network;
mod sign_in;
mod table;

use std::fmt;
use std::time::Duration;

use serde_json::Value;

use self::advice::Place;
use self::envelope::{Envelope, shorten};
use super::credential::{Cloud, SignIn};

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
    Correlation(Box<str>),
    /// Our own, where ARM gave none.
    Request(Box<str>),
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
    /// What has to be registered before the call can succeed.
    pub unregistered: Option<Box<Unregistered>>,
}

/// A resource provider that a subscription is not registered to use.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Unregistered {
    /// The subscription.
    pub subscription: String,
    /// The resource provider, such as `Microsoft.MachineLearningServices`.
    pub namespace: String,
}

impl Unregistered {
    /// The command by which a person registers it.
    #[must_use]
    pub fn command(&self) -> String {
        advice::register(&self.namespace, &self.subscription)
    }
}

impl ArmError {
    /// By which Azure knows the call, where ARM answered it.
    #[must_use]
    pub fn correlation_id(&self) -> Option<&str> {
        match &self.trace {
            Some(Trace::Correlation(id)) => Some(id),
            Some(Trace::Request(_)) | None => None,
        }
    }

    /// From an answer with an error status to a request for `path`.
    #[must_use]
    pub fn from_answer(
        status: u16,
        body: &[u8],
        path: &str,
        correlation_id: Option<String>,
        retry_after: Option<Duration>,
    ) -> Self {
        let envelope =
            serde_json::from_slice(body).map_or_else(|_| Envelope::none(status), |v| Envelope::read(&v, status));
        let error = Self::explained(Some(status), envelope, Place { path });
        Self { trace: correlation_id.map(|id| Trace::Correlation(id.into())), retry_after, ..error }
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
        let error = Self::explained(None, envelope, Place::default());
        Self { trace: correlation_id.map(|id| Trace::Correlation(id.into())), ..error }
    }

    /// From a call that got no answer, or one that cannot be read.
    #[must_use]
    pub fn unavailable(message: impl fmt::Display) -> Self {
        let message = message.to_string();
        let advice = network::advice(&message, "--arm-endpoint");
        Self::own(Cause::Unavailable, "NoAnswer", &message, advice)
    }

    /// From settings of the operator's that do not allow a call; `advice` says what mends them.
    #[must_use]
    pub fn misconfigured(message: &str, advice: &str) -> Self {
        Self::own(Cause::Misconfigured, "Misconfigured", message, advice.to_owned())
    }

    /// The same where ARM asked for claims that no token of the operator's can have: `azure_identity` asks for none.
    #[must_use]
    pub fn for_want_of_claims(self) -> Self {
        let advice = "an access policy asks for claims (continuous access evaluation), which the operator cannot give: look \
                      at the identity's sign-in log and at the Conditional Access policies for workload identities";
        Self { cause: Cause::SignIn, class: Class::Slow, advice: Some(advice.into()), ..self }
    }

    /// From a sign-in that gave no token; `reached` tells whether it was answered at all.
    #[must_use]
    pub fn sign_in(sign_in: &SignIn, cloud: &Cloud, message: &str, reached: bool) -> Self {
        let told = sign_in::told(message);
        let advice = sign_in::advice(sign_in, cloud, &told, reached);
        let told = format!("{}: {told}", sign_in.name());
        Self::own(Cause::SignIn, "SignInFailed", &told, advice)
    }

    /// What no answer of ARM's says.
    fn own(cause: Cause, code: &str, message: &str, advice: String) -> Self {
        Self {
            cause,
            class: Class::Fast,
            status: None,
            code: code.to_owned(),
            message: shorten(message),
            advice: Some(advice.into()),
            trace: None,
            retry_after: None,
            unregistered: None,
        }
    }

    fn explained(status: Option<u16>, envelope: Envelope, place: Place<'_>) -> Self {
        let Envelope { code, message } = envelope;
        let meaning = table::meaning(status, &code, &message);
        let unregistered = (meaning.remedy == table::Remedy::Register).then(|| {
            let subscription = advice::subscription(place.path)?.to_owned();
            Some(Box::new(Unregistered { subscription, namespace: advice::namespace(&message)?.to_owned() }))
        });
        Self {
            cause: meaning.cause,
            class: meaning.class,
            status,
            advice: advice::advice(meaning.remedy, &message, place).map(Into::into),
            code,
            message,
            trace: None,
            retry_after: None,
            unregistered: unregistered.flatten(),
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

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(status: u16, body: &Value) -> ArmError {
        ArmError::from_answer(status, body.to_string().as_bytes(), "", None, None)
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
    fn what_is_told_is_bounded() {
        let long = "x".repeat(100_000);
        let scope = format!("/subscriptions/{long}");
        let message = format!("{long} with object id 'o' … perform action 'a' over scope '{scope}'");
        let told = answer(403, &serde_json::json!({"error": {"code": long, "message": message}})).to_string();
        assert!(told.len() < 3_000, "{} bytes", told.len());
    }

    #[test]
    fn a_page_of_html_is_an_error_too() {
        for (status, code) in [(503, "Http503"), (404, "Http404")] {
            let error = ArmError::from_answer(status, b"<html>down</html>", "", None, None);
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
