//! Secret values on their way from a Secret to a body, and nowhere else.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;

use k8s_openapi::api::core::v1::Secret;
use kube::{Api, Client};
use secrecy::{ExposeSecret as _, SecretString};
use serde_json::Value;

use super::body;
use super::kind::{SecretValue, Unresolved};
use crate::api::conditions::Reason;

/// The values that went into a body, kept only to take them out of what is said about it.
#[derive(Default)]
pub struct Filled(Vec<SecretString>);

impl Filled {
    /// A text without the values, and without what is left of one where the text was cut in the middle of it.
    #[must_use]
    pub fn redact(&self, text: &str) -> String {
        self.0.iter().fold(text.to_owned(), |text, value| {
            // An answer that repeats what it was sent may have it as it stands in JSON.
            let (plain, escaped) = (value.expose_secret(), Value::from(value.expose_secret()).to_string());
            let escaped = escaped.trim_matches('"');
            let both = |first: &str, then: &str| without(&without(&text, first), then);
            let (one, other) = (both(plain, escaped), both(escaped, plain));
            if one.len() <= other.len() { one } else { other }
        })
    }
}

/// Beginnings of a value that are shorter tell too little to be taken out.
const TELLING: usize = 6;

fn without(text: &str, value: &str) -> String {
    let text = text.replace(value, "***");
    let beginnings = value.char_indices().map(|(end, _)| &value[..end]).filter(|beginning| beginning.len() >= TELLING);
    let longest = beginnings.take_while(|beginning| beginning.len() <= text.len()).take_while(|it| text.contains(*it));
    match longest.last() {
        Some(beginning) => text.replace(beginning, "***"),
        None => text,
    }
}

/// Why the values could not be put in.
#[derive(Debug, thiserror::Error)]
pub enum FillError {
    /// A Secret or a key is not there, or may not be read.
    #[error("{}", .0.message)]
    Unresolved(Unresolved),
    /// The API server did not answer.
    #[error(transparent)]
    Kubernetes(#[from] kube::Error),
}

/// Reads the Secrets that the values come from, each once, and puts the values into their places in the body. `role` is the
/// `ClusterRole` by which a namespace lets that be done, where there is one.
///
/// # Errors
/// [`FillError`] where one is missing, may not be read, has no such key, or holds what is not text.
pub async fn fill(
    client: &Client,
    namespace: &str,
    role: Option<&str>,
    values: &[SecretValue],
    body: &mut Value,
) -> Result<Filled, FillError> {
    let api: Api<Secret> = Api::namespaced(client.clone(), namespace);
    let mut filled = Filled::default();
    let mut read: BTreeMap<&str, Secret> = BTreeMap::new();
    for value in values {
        let name = value.source.name.as_str();
        let secret = match read.entry(name) {
            Entry::Occupied(there) => there.into_mut(),
            Entry::Vacant(place) => {
                let missing = || not_found(namespace, name);
                let there = api.get_opt(name).await.map_err(|error| match error {
                    kube::Error::Api(status) if status.is_forbidden() => {
                        FillError::Unresolved(forbidden(namespace, role, &status.message))
                    }
                    error => FillError::Kubernetes(error),
                })?;
                place.insert(there.ok_or_else(missing).map_err(FillError::Unresolved)?)
            }
        };
        let key = value.source.key.as_str();
        let text = secret
            .data
            .as_ref()
            .and_then(|data| data.get(key))
            .and_then(|bytes| std::str::from_utf8(&bytes.0).ok())
            .filter(|text| !text.is_empty())
            .ok_or_else(|| FillError::Unresolved(key_not_found(namespace, name, key)))?;
        body::set(body, &value.pointer, Value::from(text));
        filled.0.push(SecretString::from(text));
    }
    Ok(filled)
}

/// The Secret is not there.
#[must_use]
pub fn not_found(namespace: &str, name: &str) -> Unresolved {
    Unresolved::new(
        Reason::SecretNotFound,
        format!("Secret {namespace}/{name} was not found: create it, or mend credentials"),
    )
}

/// The namespace does not let the operator read its Secrets. `refusal` are the API server's words, which name the operator.
#[must_use]
pub fn forbidden(namespace: &str, role: Option<&str>, refusal: &str) -> Unresolved {
    let account = refusal
        .split_once("User \"system:serviceaccount:")
        .and_then(|(_, after)| after.split_once('"'))
        .map(|(account, _)| account);
    let mend = match (role, account) {
        (Some(role), Some(account)) => format!(
            "a RoleBinding to ClusterRole {role} is missing: kubectl create rolebinding {role} -n {namespace} --clusterrole={role} --serviceaccount={account}"
        ),
        (Some(role), None) => format!("a RoleBinding to ClusterRole {role} is missing there"),
        (None, _) => "it needs a Role with get, list and watch of secrets there".to_owned(),
    };
    let message = format!("the operator may not read Secrets in namespace {namespace}: {mend} ({refusal})");
    Unresolved::new(Reason::SecretForbidden, message)
}

fn key_not_found(namespace: &str, name: &str, key: &str) -> Unresolved {
    Unresolved::new(
        Reason::SecretKeyNotFound,
        format!("Secret {namespace}/{name} has no key {key} that holds text: add it, or mend credentials"),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_is_taken_out_of_what_is_said_about_it() {
        let filled = Filled(vec![SecretString::from("hush"), SecretString::from("secret")]);
        assert_eq!(filled.redact("key 'hush' is no secret: hush"), "key '***' is no ***: ***");
    }

    #[test]
    fn what_mends_a_refusal_is_a_command() {
        let refusal =
            r#"secrets is forbidden: User "system:serviceaccount:foundry-system:foundry-operator" cannot list"#;
        let told = forbidden("team-a", Some("foundry-operator-secrets"), refusal).message;
        let command = "kubectl create rolebinding foundry-operator-secrets -n team-a --clusterrole=foundry-operator-secrets --serviceaccount=foundry-system:foundry-operator";
        assert!(told.contains(command), "{told}");
        let told = forbidden("team-a", None, refusal).message;
        assert!(told.contains("needs a Role with get, list and watch of secrets"), "{told}");
    }

    #[test]
    fn a_value_that_was_cut_in_the_middle_is_taken_out_too() {
        let filled = Filled(vec![SecretString::from("-----BEGIN KEY-----\nabcdefghij\n-----END KEY-----")]);
        let escaped = "refused: -----BEGIN KEY-----\\nabcde…";
        assert_eq!(filled.redact(escaped), "refused: ***…");
        assert_eq!(filled.redact("refused: -----BEGIN KEY-----\nabcdefgh"), "refused: ***");
        assert_eq!(filled.redact("nothing of it"), "nothing of it");
    }
}
