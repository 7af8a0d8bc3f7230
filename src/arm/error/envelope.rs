//! The two forms in which errors are answered: that of the ARM gateway and that of the machine learning service.

use serde_json::Value;

/// Longest part of a message of Azure's that is passed on to conditions and events.
const MESSAGE_LIMIT: usize = 1024;
/// Longest code, in characters; those that are known are shorter.
const CODE_LIMIT: usize = 100;

/// What both envelopes have in common.
pub(super) struct Envelope {
    pub(super) code: String,
    pub(super) message: String,
}

impl Envelope {
    pub(super) fn none(status: u16) -> Self {
        Self { code: format!("Http{status}"), message: format!("Azure answered {status} without an error it explains") }
    }

    /// The outer code is often just `UserError`, so the innermost code that says more wins.
    pub(super) fn read(body: &Value, status: u16) -> Self {
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
        Self { code: code.chars().take(CODE_LIMIT).collect(), message: shorten(&message) }
    }
}

pub(super) fn shorten(text: &str) -> String {
    text.chars().take(MESSAGE_LIMIT).collect()
}
