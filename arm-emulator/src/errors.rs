//! The two forms in which errors are answered: that of the ARM gateway and that of the machine learning service
//! (ARM reference, section 7).

use axum::http::StatusCode;
use jiff::Timestamp;
use serde_json::{Value, json};
use uuid::Uuid;

use crate::answer::Answer;

/// An error to be answered to a caller of ARM.
#[derive(Clone, Debug)]
pub(crate) struct ArmError(Box<Parts>);

#[derive(Clone, Debug)]
struct Parts {
    status: StatusCode,
    code: String,
    message: String,
    speaker: Speaker,
    headers: Vec<(&'static str, String)>,
}

#[derive(Clone, Debug)]
enum Speaker {
    /// ARM itself, which never asked the service.
    Gateway,
    /// The machine learning service.
    Service { target: Option<&'static str>, details: Vec<Value>, inner: Option<&'static str> },
}

impl ArmError {
    fn new(status: StatusCode, code: impl Into<String>, message: impl Into<String>, speaker: Speaker) -> Self {
        Self(Box::new(Parts { status, code: code.into(), message: message.into(), speaker, headers: Vec::new() }))
    }

    pub(crate) fn gateway(status: StatusCode, code: impl Into<String>, message: impl Into<String>) -> Self {
        Self::new(status, code, message, Speaker::Gateway)
    }

    pub(crate) fn service(status: StatusCode, code: impl Into<String>, message: impl Into<String>) -> Self {
        let speaker = Speaker::Service { target: None, details: Vec::new(), inner: None };
        Self::new(status, code, message, speaker)
    }

    /// A 400 of the service about the body of a workspace, in the form of "Missing dependent resources".
    pub(crate) fn validation(message: impl Into<String>, details: &[String]) -> Self {
        let speaker = Speaker::Service {
            target: Some("workspace"),
            details: details
                .iter()
                .map(|detail| json!({"code": "Invalid", "message": detail, "target": null}))
                .collect(),
            inner: None,
        };
        Self::new(StatusCode::BAD_REQUEST, "ValidationError", message, speaker)
    }

    pub(crate) fn user_error(status: StatusCode, inner: &'static str, message: impl Into<String>) -> Self {
        let speaker = Speaker::Service { target: None, details: Vec::new(), inner: Some(inner) };
        Self::new(status, "UserError", message, speaker)
    }

    pub(crate) fn with_header(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.0.headers.push((name, value.into()));
        self
    }

    #[cfg(test)]
    pub(crate) fn code(&self) -> &str {
        &self.0.code
    }

    /// The answer, as a service in `region` gives it at `now`.
    pub(crate) fn into_answer(self, region: &str, now: Timestamp) -> Answer {
        let Parts { status, code, message, speaker, mut headers } = *self.0;
        let (cause, body) = match speaker {
            Speaker::Gateway => {
                (("x-ms-failure-cause", "gateway"), json!({"error": {"code": code, "message": message}}))
            }
            Speaker::Service { target, details, inner } => (
                ("x-ms-response-type", "error"),
                json!({
                    "error": {
                        "code": code,
                        "severity": null,
                        "message": message,
                        "messageFormat": null,
                        "messageParameters": null,
                        "referenceCode": null,
                        "detailsUri": null,
                        "target": target,
                        "details": details,
                        "innerError": inner.map(|code| json!({"code": code, "innerError": null})),
                        "debugInfo": null,
                        "additionalInfo": null
                    },
                    "correlation": {
                        "operation": Uuid::new_v4().simple().to_string(),
                        "request": format!("{:016x}", fastrand::u64(..))
                    },
                    "environment": region,
                    "location": region,
                    "time": format!("{now:.7}").replace('Z', "+00:00"),
                    "componentName": "account-rp",
                    "statusCode": status.as_u16()
                }),
            ),
        };
        headers.push((cause.0, cause.1.to_owned()));
        Answer { status, headers, body: Some(body), failure: Some(code), fault: None }
    }
}

pub(crate) fn workspace_not_found(name: &str, group: &str) -> ArmError {
    ArmError::gateway(
        StatusCode::NOT_FOUND,
        "ResourceNotFound",
        format!(
            "The Resource 'Microsoft.MachineLearningServices/workspaces/{name}' under resource group '{group}' was not \
             found. For more details please go to https://aka.ms/ARMResourceNotFoundFix"
        ),
    )
}

pub(crate) fn parent_not_found(workspace: &str) -> ArmError {
    ArmError::gateway(
        StatusCode::NOT_FOUND,
        "ParentResourceNotFound",
        format!("Can not perform requested operation on nested resource. Parent resource '{workspace}' not found."),
    )
}

pub(crate) fn connection_not_found(name: &str) -> ArmError {
    ArmError::user_error(
        StatusCode::NOT_FOUND,
        "NotFoundError",
        format!("Connection {name} can't be found in this workspace"),
    )
}

pub(crate) fn datastore_not_found(name: &str) -> ArmError {
    ArmError::user_error(StatusCode::NOT_FOUND, "NotFoundError", format!("Could not find datastore: {name}"))
}

pub(crate) fn group_not_found(group: &str) -> ArmError {
    ArmError::gateway(
        StatusCode::NOT_FOUND,
        "ResourceGroupNotFound",
        format!("Resource group '{group}' could not be found."),
    )
}

pub(crate) fn rule_not_found(name: &str) -> ArmError {
    ArmError::user_error(StatusCode::NOT_FOUND, "NotFoundError", format!("Outbound rule {name} was not found."))
}

/// The reference has the sentence and the status, not the code: `Conflict` is one of the two codes it names as passing.
pub(crate) fn another_operation() -> ArmError {
    ArmError::service(
        StatusCode::CONFLICT,
        "Conflict",
        "Another operation is being performed on the parent resource. Please try again later.",
    )
}

pub(crate) fn invalid_content(reason: &str) -> ArmError {
    ArmError::gateway(
        StatusCode::BAD_REQUEST,
        "InvalidRequestContent",
        format!("The request content was invalid and could not be deserialized: '{reason}'."),
    )
}

pub(crate) fn method_not_allowed(method: &str) -> ArmError {
    ArmError::gateway(
        StatusCode::METHOD_NOT_ALLOWED,
        "MethodNotAllowed",
        format!("The HTTP method '{method}' is not supported at this resource."),
    )
}
