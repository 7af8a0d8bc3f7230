use serde::Deserialize;

use crate::Error;

/// Only finished requests, and not what the API server asks of itself.
pub(crate) const POLICY: &str = r#"apiVersion: audit.k8s.io/v1
kind: Policy
omitStages: [RequestReceived, ResponseStarted]
rules:
  - {level: None, users: ["system:apiserver"]}
  - {level: None, nonResourceURLs: ["/readyz*", "/livez*", "/healthz*"]}
  - {level: Metadata}
"#;

/// A request that the API server has answered, as its audit log has it.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(from = "Line")]
pub struct AuditEvent {
    /// Who asked, for example `system:serviceaccount:NAMESPACE:NAME`.
    pub user: String,
    /// The Kubernetes verb: `get`, `list`, `watch`, `create`, `update`, `patch`, `delete`, …
    pub verb: String,
    /// The group of the resource; empty for the core group.
    pub group: String,
    /// The resource in the plural; empty for requests that are not about one.
    pub resource: String,
    /// For example `status` or `token`; empty for the resource itself.
    pub subresource: String,
    /// Empty for resources of the cluster, and for requests across all namespaces.
    pub namespace: String,
    /// Empty for collections, and for objects whose name the server made.
    pub name: String,
    /// The HTTP status of the answer.
    pub code: u16,
    /// What the client calls itself.
    pub user_agent: String,
    /// The path and the query.
    pub request_uri: String,
    /// When the request came in, in RFC 3339 with microseconds.
    pub time: String,
}

/// Reads the lines of an audit log, apart from a last one that is not complete yet.
pub(crate) fn parse(log: &str) -> Result<Vec<AuditEvent>, Error> {
    let complete = log.rfind('\n').map_or("", |end| &log[..end]);
    complete
        .lines()
        .map(serde_json::from_str)
        .collect::<Result<_, _>>()
        .map_err(|source| Error::Json { what: "a line of the audit log", source })
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Line {
    #[serde(rename = "requestURI")]
    request_uri: String,
    verb: String,
    user: User,
    #[serde(default)]
    user_agent: String,
    #[serde(default)]
    object_ref: ObjectRef,
    #[serde(default)]
    response_status: ResponseStatus,
    request_received_timestamp: String,
}

#[derive(Deserialize)]
struct User {
    #[serde(default)]
    username: String,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct ObjectRef {
    api_group: String,
    resource: String,
    subresource: String,
    namespace: String,
    name: String,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct ResponseStatus {
    code: u16,
}

impl From<Line> for AuditEvent {
    fn from(line: Line) -> Self {
        Self {
            user: line.user.username,
            verb: line.verb,
            group: line.object_ref.api_group,
            resource: line.object_ref.resource,
            subresource: line.object_ref.subresource,
            namespace: line.object_ref.namespace,
            name: line.object_ref.name,
            code: line.response_status.code,
            user_agent: line.user_agent,
            request_uri: line.request_uri,
            time: line.request_received_timestamp,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const EVENT: &str = r#"{"stage":"ResponseComplete","requestURI":"/api/v1/namespaces/a/configmaps/b/x?c=d","verb":"patch","user":{"username":"me","groups":[]},"sourceIPs":["127.0.0.1"],"userAgent":"test","objectRef":{"resource":"configmaps","namespace":"a","name":"b","subresource":"x","apiVersion":"v1"},"responseStatus":{"metadata":{},"code":409},"requestReceivedTimestamp":"2026-01-02T03:04:05.000006Z"}"#;

    #[test]
    fn a_line_that_is_being_written_is_left_for_later() -> Result<(), Error> {
        let events = parse(&format!("{EVENT}\n{{\"stage\":\"Resp"))?;
        assert_eq!(
            events,
            [AuditEvent {
                user: "me".into(),
                verb: "patch".into(),
                group: String::new(),
                resource: "configmaps".into(),
                subresource: "x".into(),
                namespace: "a".into(),
                name: "b".into(),
                code: 409,
                user_agent: "test".into(),
                request_uri: "/api/v1/namespaces/a/configmaps/b/x?c=d".into(),
                time: "2026-01-02T03:04:05.000006Z".into(),
            }]
        );
        assert_eq!(parse("")?, []);
        Ok(())
    }

    #[test]
    fn a_request_about_no_resource_has_empty_fields() -> Result<(), Error> {
        let line = r#"{"requestURI":"/version","verb":"get","user":{},"requestReceivedTimestamp":"t"}"#;
        let events = parse(&format!("{line}\n"))?;
        assert_eq!(events[0].resource, "");
        assert_eq!(events[0].code, 0);
        assert!(parse("{}\n").is_err());
        Ok(())
    }
}
