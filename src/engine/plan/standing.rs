//! How a resource stands to what is wanted of it.

use serde_json::Value;

use crate::api::conditions::Reason;
use crate::api::status::{Applied, OwnedResource};
use crate::engine::body;
use crate::engine::kind::{Provision, Wanted};
use crate::engine::ownership::{self, Ownership};

/// What a comparison of wanted, observed and remembered comes to.
pub(super) struct Standing<'a> {
    /// What was last written to it, where it is ours.
    before: Option<Applied>,
    /// What will have been written to it once it is as wanted.
    after: Applied,
    /// JSON pointers of what differs.
    pub(super) differences: Vec<String>,
    /// The state in which its making or changing ended, where that was not success.
    pub(super) failed: Option<&'a str>,
}

impl<'a> Standing<'a> {
    pub(super) fn of(
        wanted: &Wanted,
        owner: &Ownership,
        recorded: Option<&OwnedResource>,
        observed: &'a Value,
    ) -> Self {
        // What was written to a former namesake says nothing of one that is only now taken over.
        let ours = recorded.filter(|_| *owner == Ownership::Ours);
        let before = ours.and_then(|recorded| recorded.applied.clone());
        let formerly = before.as_ref().map_or(&[][..], |before| &before.fields);
        Self {
            differences: body::differences(&wanted.body, observed, formerly, wanted.type_),
            failed: observed
                .pointer(wanted.type_.state)
                .and_then(Value::as_str)
                .filter(|state| matches!(*state, "Failed" | "Canceled")),
            after: applied(wanted),
            before,
        }
    }

    /// The fields that were managed when it was last written.
    pub(super) fn formerly(&self) -> Vec<String> {
        self.before.as_ref().map(|before| before.fields.clone()).unwrap_or_default()
    }

    /// Whether nothing has to be sent. What Azure never shows is as it was last sent.
    pub(super) fn is_as_wanted(&self, wanted: &Wanted) -> bool {
        let hidden = wanted.write_only != Value::Null || !wanted.secrets.is_empty();
        self.differences.is_empty()
            && self.failed.is_none()
            && !(hidden && (!self.is_same_spec() || self.secret_changed(wanted)))
    }

    /// JSON pointers of what an update sends. A change that failed and left nothing different is sent again with the mark:
    /// an empty body would not bring Azure to try again.
    pub(super) fn to_send(&self, wanted: &Wanted) -> Vec<String> {
        match wanted.type_.mark_in {
            Some(map) if self.differences.is_empty() && self.failed.is_some() => {
                vec![format!("{map}/{}", ownership::OWNER_KEY)]
            }
            _ => self.differences.clone(),
        }
    }

    /// Whether it was never brought into being: what failed was its making, and not a change of it.
    pub(super) fn was_never_made(&self, owner: &Ownership) -> bool {
        self.failed.is_some() && *owner == Ownership::Ours && self.before.is_none()
    }

    /// Whether the very same was written last. What is read may lack the mark that was written with it.
    pub(super) fn was_just_this(&self, recorded: Option<&OwnedResource>) -> bool {
        recorded.is_some_and(|recorded| recorded.applied.as_ref() == Some(&self.after))
    }

    /// What the inventory says of it once it is as wanted.
    pub(super) fn confirmed(
        self,
        wanted: &Wanted,
        recorded: Option<&OwnedResource>,
        observed: &Value,
    ) -> OwnedResource {
        OwnedResource {
            id: wanted.id.to_string(),
            created_at: ownership::created_at(observed).map(str::to_owned),
            applied: Some(self.after),
            // It may have been the setting up that was refused, which comes last.
            refused: recorded.filter(|_| wanted.provision.is_some()).and_then(|recorded| recorded.refused.clone()),
        }
    }

    /// Why it is changed.
    pub(super) fn reason(&self, wanted: &Wanted, owner: &Ownership) -> Reason {
        match owner {
            Ownership::Unmarked => Reason::Adopted,
            _ if self.is_same_spec() && !self.secret_changed(wanted) => Reason::DriftCorrected,
            _ => Reason::Updated,
        }
    }

    fn is_same_spec(&self) -> bool {
        self.before.as_ref().is_some_and(|before| before.hash == self.after.hash)
    }

    fn secret_changed(&self, wanted: &Wanted) -> bool {
        let same = self.before.as_ref().is_some_and(|before| before.secrets == self.after.secrets);
        !same && !wanted.secrets.is_empty()
    }
}

/// Fingerprint of one attempt to write: the same attempt would be refused again.
#[must_use]
pub fn attempt(wanted: &Wanted, retry_token: &str) -> String {
    body::hash(&Value::from(vec![applied(wanted).hash, secrets(wanted).join(","), retry_token.to_owned()]))
}

/// The same of one call for something to be set up.
#[must_use]
pub fn call(provision: &Provision, retry_token: &str) -> String {
    body::hash(&Value::from(vec![Value::from(provision.action), provision.body.clone(), Value::from(retry_token)]))
}

/// What is remembered of a body once it is written.
#[must_use]
pub fn applied(wanted: &Wanted) -> Applied {
    let mut whole = wanted.body.clone();
    body::overlay(&mut whole, &wanted.write_only);
    let sources: Vec<String> = wanted
        .secrets
        .iter()
        .map(|secret| format!("{}={}/{}", secret.pointer, secret.source.name, secret.source.key))
        .collect();
    let hash = body::hash(&Value::from(vec![whole, Value::from(sources)]));
    Applied { hash, fields: body::leaves(&wanted.body), secrets: secrets(wanted) }
}

fn secrets(wanted: &Wanted) -> Vec<String> {
    let mut versions: Vec<String> =
        wanted.secrets.iter().map(|secret| format!("{}={}", secret.source.name, secret.version)).collect();
    versions.sort();
    versions.dedup();
    versions
}
