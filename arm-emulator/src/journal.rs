//! The journal of requests, from which every secret is left out before it is written.

use std::collections::VecDeque;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;

const HIDDEN: &str = "***";

/// One request to ARM or to the token endpoint.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct JournalEntry {
    /// The place in the order of requests, from 1; it goes on counting when the journal is cleared.
    pub seq: u64,
    /// When the request had arrived.
    pub time: Timestamp,
    /// The HTTP method.
    pub method: String,
    /// The version of HTTP, such as `HTTP/2.0`.
    #[serde(default)]
    pub http: String,
    /// The path as sent.
    pub path: String,
    /// The query without the signature of operation URLs.
    pub query: String,
    /// For a poll: the ARM id of the resource that the operation works on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub operation_on: Option<String>,
    /// The HTTP status of the answer; 0 where a fault let none be made.
    pub status: u16,
    /// The client id of the caller, where it is known.
    pub client_id: Option<String>,
    /// The code of the error that was answered.
    pub error_code: Option<String>,
    /// The correlation id of the answer.
    pub correlation_id: Option<String>,
    /// The body of the request with `***` in place of every secret; form fields as an object.
    pub request_body: Option<Value>,
    /// The number of the rule of the fault that the request met, and what the fault is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fault: Option<String>,
    /// How long the answer took, in milliseconds.
    pub duration_ms: f64,
}

impl JournalEntry {
    /// Whether the entry is of this method (empty for any) and its path contains this text, both without case.
    #[must_use]
    pub fn matches(&self, method: &str, path: &str) -> bool {
        (method.is_empty() || self.method.eq_ignore_ascii_case(method))
            && self.path.to_lowercase().contains(&path.to_lowercase())
    }

    /// Whether the request is about a resource whose path contains this text, or polls an operation on it; without case.
    #[must_use]
    pub fn is_about(&self, resource: &str) -> bool {
        let path = self.operation_on.as_ref().unwrap_or(&self.path);
        path.to_lowercase().contains(&resource.to_lowercase())
    }
}

#[derive(Debug)]
pub(crate) struct Journal {
    entries: VecDeque<JournalEntry>,
    capacity: usize,
    last: u64,
}

impl Journal {
    pub(crate) const fn new(capacity: usize) -> Self {
        Self { entries: VecDeque::new(), capacity, last: 0 }
    }

    /// Writes an entry, giving it its number.
    pub(crate) fn write(&mut self, mut entry: JournalEntry) {
        self.last += 1;
        entry.seq = self.last;
        self.entries.push_back(entry);
        while self.entries.len() > self.capacity {
            self.entries.pop_front();
        }
    }

    pub(crate) fn clear(&mut self) {
        self.entries.clear();
    }

    pub(crate) fn entries(&self) -> impl Iterator<Item = &JournalEntry> {
        self.entries.iter()
    }
}

/// A JSON body with its secrets hidden; a body that is not JSON is not kept at all, since it cannot be searched for them.
pub(crate) fn json_body(body: &[u8]) -> Option<Value> {
    if body.is_empty() {
        return None;
    }
    let Ok(mut value @ Value::Object(_)) = serde_json::from_slice(body) else {
        return Some(Value::String(format!("({} bytes that are not a JSON object)", body.len())));
    };
    hide(&mut value, false);
    Some(value)
}

/// A form of the token endpoint: the fields that are known to hold no secret, the presence of those that are known to
/// hold one, and how many others there were. Even the name of another could be part of a secret that was not encoded.
pub(crate) fn form_body(body: &[u8]) -> Value {
    const OPEN: [&str; 4] = ["client_assertion_type", "client_id", "grant_type", "scope"];
    const HIDING: [&str; 2] = ["client_assertion", "client_secret"];
    let mut fields = serde_json::Map::new();
    let mut others = 0;
    for (name, value) in form_urlencoded::parse(body) {
        if OPEN.contains(&name.as_ref()) {
            fields.insert(name.into_owned(), Value::String(value.into_owned()));
        } else if HIDING.contains(&name.as_ref()) {
            fields.insert(name.into_owned(), Value::String(HIDDEN.to_owned()));
        } else {
            others += 1;
        }
    }
    if others > 0 {
        fields.insert("otherFields".to_owned(), Value::from(others));
    }
    Value::Object(fields)
}

/// The query without the signature of an operation's URL.
pub(crate) fn query(query: &str) -> String {
    const SIGNATURE: [&str; 4] = ["t", "c", "s", "h"];
    query
        .split('&')
        .filter(|pair| !SIGNATURE.contains(&pair.split('=').next().unwrap_or_default()))
        .collect::<Vec<_>>()
        .join("&")
}

/// Hides secrets in place: everything below `credentials`, and what is called like a secret wherever it stands.
pub(crate) fn hide(value: &mut Value, everything: bool) {
    match value {
        Value::Object(fields) => {
            for (name, field) in fields {
                hide(field, everything || name.eq_ignore_ascii_case("credentials") || is_secret(name));
            }
        }
        Value::Array(items) => items.iter_mut().for_each(|item| hide(item, everything)),
        Value::Null => {}
        _ if everything => *value = Value::String(HIDDEN.to_owned()),
        _ => {}
    }
}

fn is_secret(name: &str) -> bool {
    const SECRETS: [&str; 16] = [
        "key",
        "keys",
        "sas",
        "pat",
        "secret",
        "password",
        "token",
        "clientsecret",
        "clientassertion",
        "secretaccesskey",
        "securitytoken",
        "developertoken",
        "refreshtoken",
        "accesstoken",
        "apikey",
        "connectionstring",
    ];
    let plain = name.to_lowercase().replace(['_', '-'], "");
    SECRETS.contains(&plain.as_str())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn everything_below_credentials_is_hidden_and_the_rest_is_kept() {
        let body =
            json!({"properties": {"target": "t", "credentials": {"keys": {"a": "s1", "b": "s2"}, "clientId": "s3"}}});
        let hidden = json_body(body.to_string().as_bytes()).expect("a body");
        assert_eq!(hidden["properties"]["target"], "t");
        for secret in ["s1", "s2", "s3"] {
            assert!(!hidden.to_string().contains(secret));
        }
    }

    #[test]
    fn form_secrets_are_hidden() {
        let hidden = form_body(b"client_id=c&client_secret=s1&client_assertion=s2&scope=x");
        assert_eq!(hidden, json!({"client_id": "c", "client_secret": "***", "client_assertion": "***", "scope": "x"}));
    }

    #[test]
    fn a_body_that_is_not_a_json_object_is_not_kept() {
        for body in [&b"key=s1"[..], br#""s1""#, br#"["s1"]"#] {
            assert!(!json_body(body).expect("a note").to_string().contains("s1"));
        }
    }

    #[test]
    fn fields_that_are_not_known_are_counted_only() {
        for body in [&b"client_secret=ab&s1"[..], br#"{"client_secret":"s1"}"#, b"assertion=s1"] {
            let hidden = form_body(body);
            assert!(!hidden.to_string().contains("s1"), "{hidden}");
            assert_eq!(hidden["otherFields"], 1);
        }
    }

    #[test]
    fn the_signature_of_an_operation_is_left_out() {
        assert_eq!(query("api-version=1&type=async&t=1&c=2&s=3&h=4"), "api-version=1&type=async");
    }

    #[test]
    fn the_oldest_entries_are_dropped_first() {
        let entry = JournalEntry {
            seq: 0,
            time: Timestamp::UNIX_EPOCH,
            method: "GET".to_owned(),
            http: "HTTP/2.0".to_owned(),
            path: "/".to_owned(),
            query: String::new(),
            operation_on: None,
            status: 200,
            client_id: None,
            error_code: None,
            correlation_id: None,
            request_body: None,
            fault: None,
            duration_ms: 0.0,
        };
        let mut journal = Journal::new(2);
        (0..3).for_each(|_| journal.write(entry.clone()));
        let kept: Vec<u64> = journal.entries().map(|entry| entry.seq).collect();
        assert_eq!(kept, [2, 3]);
    }
}
