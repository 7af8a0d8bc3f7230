//! How a fault is spelled in JSON: one field of several, with what belongs to it.

use std::collections::BTreeMap;
use std::time::Duration;

use axum::http::{HeaderName, HeaderValue, StatusCode};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{Fault, Moment, OperationFault};
use crate::operations::Outcome;

#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub(super) struct Form {
    #[serde(skip_serializing_if = "Option::is_none")]
    answer: Option<Answer>,
    #[serde(skip_serializing_if = "Option::is_none")]
    drop_connection: Option<Moment>,
    #[serde(skip_serializing_if = "Option::is_none")]
    delay_seconds: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    truncate_after_bytes: Option<usize>,
    #[serde(skip_serializing_if = "Option::is_none")]
    html: Option<Html>,
    #[serde(skip_serializing_if = "Option::is_none")]
    operation: Option<Word>,
    #[serde(skip_serializing_if = "Option::is_none")]
    code: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    message: Option<String>,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Answer {
    status: u16,
    #[serde(default)]
    headers: BTreeMap<String, String>,
    #[serde(default)]
    body: Value,
}

#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Html {
    status: u16,
    page: String,
}

impl Default for Html {
    fn default() -> Self {
        let page = "<html><head><title>502 Bad Gateway</title></head><body><h1>502 Bad Gateway</h1></body></html>";
        Self { status: 502, page: page.to_owned() }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
enum Word {
    Failed,
    Canceled,
    #[serde(rename = "hang")]
    Hang,
}

impl TryFrom<Form> for Fault {
    type Error = String;

    fn try_from(form: Form) -> Result<Self, String> {
        let Form { answer, drop_connection, delay_seconds, truncate_after_bytes, html, operation, code, message } =
            form;
        if operation.is_none() && (code.is_some() || message.is_some()) {
            return Err("'code' and 'message' belong to 'operation'".to_owned());
        }
        let delay = delay_seconds.map(Duration::try_from_secs_f64).transpose().map_err(|error| error.to_string())?;
        let code = code.unwrap_or_else(|| "InternalServerError".to_owned());
        let ends = |outcome| OperationFault::Ends { outcome, code, message: message.unwrap_or_default() };
        let mut said = [
            answer.map(Answer::fault).transpose()?,
            drop_connection.map(Fault::DropConnection),
            delay.map(Fault::Delay),
            truncate_after_bytes.map(Fault::TruncateAfter),
            html.map(Html::fault).transpose()?,
            operation.map(|word| {
                Fault::Operation(match word {
                    Word::Failed => ends(Outcome::Failed),
                    Word::Canceled => ends(Outcome::Canceled),
                    Word::Hang => OperationFault::Hangs,
                })
            }),
        ]
        .into_iter()
        .flatten();
        match (said.next(), said.next()) {
            (Some(fault), None) => Ok(fault),
            _ => Err(
                "a fault is exactly one of answer, dropConnection, delaySeconds, truncateAfterBytes, html, operation"
                    .to_owned(),
            ),
        }
    }
}

impl Answer {
    fn fault(self) -> Result<Fault, String> {
        for (name, value) in &self.headers {
            HeaderName::from_bytes(name.as_bytes()).map_err(|_| format!("'{name}' is no name of a header"))?;
            HeaderValue::from_str(value).map_err(|_| format!("the value of '{name}' cannot stand in a header"))?;
        }
        Ok(Fault::Answer { status: status(self.status)?, headers: self.headers, body: self.body })
    }
}

impl Html {
    fn fault(self) -> Result<Fault, String> {
        Ok(Fault::Html { status: status(self.status)?, page: self.page })
    }
}

/// Only what ends a request: 1xx answers are followed by another.
fn status(status: u16) -> Result<u16, String> {
    StatusCode::from_u16(status)
        .ok()
        .filter(|code| !code.is_informational())
        .map(|_| status)
        .ok_or_else(|| format!("{status} is no HTTP status that can be answered"))
}

impl From<Fault> for Form {
    fn from(fault: Fault) -> Self {
        let mut form = Self::default();
        match fault {
            Fault::Answer { status, headers, body } => form.answer = Some(Answer { status, headers, body }),
            Fault::DropConnection(moment) => form.drop_connection = Some(moment),
            Fault::Delay(time) => form.delay_seconds = Some(time.as_secs_f64()),
            Fault::TruncateAfter(bytes) => form.truncate_after_bytes = Some(bytes),
            Fault::Html { status, page } => form.html = Some(Html { status, page }),
            Fault::Operation(OperationFault::Hangs) => form.operation = Some(Word::Hang),
            Fault::Operation(OperationFault::Ends { outcome, code, message }) => {
                form.operation = Some(match outcome {
                    Outcome::Failed => Word::Failed,
                    Outcome::Canceled => Word::Canceled,
                });
                form.code = Some(code);
                form.message = Some(message);
            }
        }
        form
    }
}
