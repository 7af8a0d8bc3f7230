//! What identities may do: actions as role definitions have them, by which a call is allowed or refused.

use std::collections::BTreeMap;

use axum::http::StatusCode;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::errors::ArmError;

/// What an identity may do, in the form of a role definition. By default everything.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Permissions {
    /// Patterns of what is allowed, such as `Microsoft.MachineLearningServices/workspaces/*/read`; `*` is any text.
    pub actions: Vec<String>,
    /// Patterns of what is not allowed even so.
    #[serde(default)]
    pub not_actions: Vec<String>,
}

impl Default for Permissions {
    fn default() -> Self {
        Self::only(["*"])
    }
}

impl Permissions {
    /// These actions and nothing else.
    #[must_use]
    pub fn only<'a>(actions: impl IntoIterator<Item = &'a str>) -> Self {
        Self { actions: actions.into_iter().map(str::to_owned).collect(), not_actions: Vec::new() }
    }

    /// Whether an action is allowed. Patterns are compared without case.
    #[must_use]
    pub fn allow(&self, action: &str) -> bool {
        let any = |patterns: &[String]| patterns.iter().any(|pattern| matches(pattern, action));
        any(&self.actions) && !any(&self.not_actions)
    }

    fn grant(&mut self, pattern: &str) {
        self.not_actions.retain(|known| !known.eq_ignore_ascii_case(pattern));
        if !self.actions.iter().any(|known| matches(known, pattern)) {
            self.actions.push(pattern.to_owned());
        }
    }

    fn revoke(&mut self, pattern: &str) {
        self.actions.retain(|known| !known.eq_ignore_ascii_case(pattern));
        self.not_actions.push(pattern.to_owned());
    }
}

fn matches(pattern: &str, action: &str) -> bool {
    let (pattern, action) = (pattern.to_lowercase(), action.to_lowercase());
    let mut parts = pattern.split('*');
    let Some(mut rest) = parts.next().and_then(|first| action.strip_prefix(first)) else {
        return false;
    };
    let mut parts = parts.peekable();
    if parts.peek().is_none() {
        return rest.is_empty();
    }
    while let Some(part) = parts.next() {
        if parts.peek().is_none() {
            return rest.ends_with(part);
        }
        match rest.find(part) {
            Some(at) => rest = &rest[at + part.len()..],
            None => return false,
        }
    }
    true
}

/// The permissions of those who do not have all.
#[derive(Debug, Default)]
pub(crate) struct Register(BTreeMap<String, Permissions>);

impl Register {
    pub(crate) fn of(&self, client: &str) -> Permissions {
        self.0.get(&client.to_lowercase()).cloned().unwrap_or_default()
    }

    pub(crate) fn set(&mut self, client: &str, permissions: Permissions) {
        self.0.insert(client.to_lowercase(), permissions);
    }

    pub(crate) fn grant(&mut self, client: &str, pattern: &str) {
        self.0.entry(client.to_lowercase()).or_default().grant(pattern);
    }

    pub(crate) fn revoke(&mut self, client: &str, pattern: &str) {
        self.0.entry(client.to_lowercase()).or_default().revoke(pattern);
    }

    /// Refuses a call that its caller may not make, in ARM's words.
    pub(crate) fn check(&self, client: &str, method: &str, path: &str) -> Result<(), ArmError> {
        let (action, scope) = action(method, path);
        if self.0.get(&client.to_lowercase()).is_none_or(|permissions| permissions.allow(&action)) {
            return Ok(());
        }
        Err(ArmError::gateway(
            StatusCode::FORBIDDEN,
            "AuthorizationFailed",
            format!(
                "The client '{client}' with object id '{}' does not have authorization to perform action '{action}' over \
                 scope '{scope}' or the scope is invalid. If access was recently granted, please refresh your credentials.",
                object_id(client)
            ),
        ))
    }
}

/// The object id of an application in the emulated directory.
pub(crate) fn object_id(client: &str) -> Uuid {
    Uuid::new_v5(&Uuid::NAMESPACE_OID, client.to_lowercase().as_bytes())
}

/// The action that a call is, as role definitions name it.
#[must_use]
pub fn action_of(method: &str, path: &str) -> String {
    action(method, path).0
}

/// The action that a call is, and the scope that it is over.
fn action(method: &str, path: &str) -> (String, String) {
    let segments: Vec<&str> = path.split('/').filter(|segment| !segment.is_empty()).collect();
    let provider = segments.iter().rposition(|segment| segment.eq_ignore_ascii_case("providers"));
    let below = provider.map_or(&[][..], |at| &segments[at + 1..]);
    let (namespace, typed) = match below {
        // A provider itself, and what is above all providers, belong to the resource manager.
        [] | [_] => ("Microsoft.Resources", segments.as_slice()),
        [namespace, typed @ ..] => (*namespace, typed),
    };
    // `type/name/type/name`; the name of an action takes the place of a type and has none after it.
    let kinds = typed.iter().step_by(2).copied().collect::<Vec<_>>().join("/");
    let verb = match method {
        "GET" | "HEAD" => "read",
        "DELETE" => "delete",
        "POST" => "action",
        _ => "write",
    };
    let scope = if method == "POST" { &segments[..segments.len().saturating_sub(1)] } else { &segments[..] };
    (format!("{namespace}/{kinds}/{verb}"), format!("/{}", scope.join("/")))
}

#[cfg(test)]
mod tests {
    use super::*;

    const ML: &str = "/subscriptions/s/resourceGroups/rg/providers/Microsoft.MachineLearningServices/workspaces/hub";

    #[test]
    fn patterns_have_stars_anywhere() {
        for pattern in ["*", "a/*", "*/READ", "a/*/read", "a/b/read", "a*b*ad"] {
            assert!(matches(pattern, "A/b/read"), "{pattern}");
        }
        for pattern in ["", "a", "b/*", "a/*/write", "a/b/rea", "*c*"] {
            assert!(!matches(pattern, "a/b/read"), "{pattern}");
        }
    }

    #[test]
    fn calls_are_actions_over_a_scope() {
        let is = |method: &str, path: &str, expected: &str| {
            assert_eq!(action(method, path).0, format!("Microsoft.{expected}"));
        };
        is("GET", ML, "MachineLearningServices/workspaces/read");
        is("PATCH", ML, "MachineLearningServices/workspaces/write");
        is("DELETE", &format!("{ML}/connections/c"), "MachineLearningServices/workspaces/connections/delete");
        is("GET", &format!("{ML}/connections"), "MachineLearningServices/workspaces/connections/read");
        let secrets = format!("{ML}/connections/c/listsecrets");
        is("POST", &secrets, "MachineLearningServices/workspaces/connections/listsecrets/action");
        assert_eq!(action("POST", &secrets).1, format!("{ML}/connections/c"));
        is("GET", "/subscriptions/s/resourcegroups/rg", "Resources/subscriptions/resourcegroups/read");
        is("GET", "/subscriptions/s/providers/Microsoft.X", "Resources/subscriptions/providers/read");
        is("POST", "/subscriptions/s/providers/Microsoft.X/register", "X/register/action");
    }

    #[test]
    fn what_is_revoked_can_be_granted_again() {
        let mut permissions = Permissions::default();
        permissions.revoke("a/write");
        assert!(!permissions.allow("a/write") && permissions.allow("a/read"));
        permissions.grant("a/write");
        assert!(permissions.allow("a/write"));
    }
}
