//! Places where the plan comes to rest, as a person reads of them.

use serde_json::Value;

use super::Step;
use super::standing::Standing;
use crate::api::conditions::Reason;
use crate::api::status::OwnedResource;
use crate::arm::resource_type::label;
use crate::arm::{Class, ResourceType};
use crate::engine::kind::{Provision, Wanted};
use crate::engine::ownership::OWNER_KEY;
use crate::engine::verdict::{Rest, State, Wake};

impl Standing<'_> {
    /// Where it is left as it is; `None` where that is as the spec says.
    pub(super) fn only_looked_at(mut self, wanted: &Wanted) -> Option<Step> {
        // What is only observed is not marked.
        self.differences.retain(|at| !at.ends_with(OWNER_KEY));
        match self.failed {
            Some(state) => Some(unusable(wanted, state)),
            None => (!self.differences.is_empty()).then(|| drifted(wanted, &self.differences)),
        }
    }
}

/// Nothing of ours is on the object any more: the API server deletes it.
pub(super) fn gone() -> Step {
    Step::Rest(Rest::new(State::Working, Reason::Deleting, "nothing of this operator's keeps the object", Wake::Event))
}

/// The state of a resource that Azure is at work on.
pub(super) fn at_work<'a>(observed: &'a Value, type_: &ResourceType) -> Option<&'a str> {
    let state = observed.pointer(type_.state)?.as_str()?;
    matches!(state, "Creating" | "Updating" | "Deleting" | "Provisioning").then_some(state)
}

/// Where this very attempt was refused for good before.
pub(super) fn refused_before(recorded: Option<&OwnedResource>, attempt: &str) -> Option<Step> {
    let refusal = recorded?.refused.as_ref().filter(|refusal| refusal.attempt == attempt)?;
    Some(Step::Rest(Rest::new(State::Stalled, Reason::Refused, refusal.message.clone(), Wake::Resync)))
}

/// What it is part of is there and can be used without it.
pub(super) fn absent_part(wanted: &Wanted) -> Step {
    let message = format!("{} does not exist; managementPolicy Observe does not make it", label(&wanted.id));
    Step::Rest(Rest::new(State::Drifted, Reason::Drifted, message, Wake::Resync))
}

/// Azure said that it had set it up, and does not show it.
pub(super) fn not_set_up(wanted: &Wanted, provision: &Provision) -> Step {
    let message = format!(
        "{} of {} is not there right after Azure set it up; it is asked for again later",
        provision.what,
        label(&wanted.id)
    );
    Step::Rest(Rest::new(State::Waiting, Reason::AzureUnavailable, message, passing(Class::Slow)))
}

/// The way out where a name is taken: it is fixed, so the object has to be made anew.
pub(super) const ANOTHER_NAME: &str =
    "delete this object, which leaves the resource in Azure as it is, and apply it with another azureName";

pub(super) fn foreign(wanted: &Wanted, owner: &str, mark: &str) -> Step {
    let name = |mark: &str| mark.split_once('/').map(|(cluster, name)| (cluster.to_owned(), name.to_owned()));
    let advice = match (name(owner), name(mark)) {
        (Some((cluster, theirs)), Some((_, ours))) if theirs == ours => {
            format!(
                "if this cluster takes the place of that one, run the operator with --cluster-id {cluster}; or {ANOTHER_NAME}"
            )
        }
        _ => format!("if that object is gone for good, take the mark {OWNER_KEY} off in Azure; or {ANOTHER_NAME}"),
    };
    let message = format!("{} belongs to {owner} (cluster/namespace/name): {advice}", label(&wanted.id));
    Step::Rest(Rest::new(State::Stalled, Reason::Conflict, message, Wake::Resync))
}

fn drifted(wanted: &Wanted, differences: &[String]) -> Step {
    let message = format!(
        "{} differs from the spec in {}; managementPolicy Observe leaves it",
        label(&wanted.id),
        listed(differences)
    );
    Step::Rest(Rest::new(State::Drifted, Reason::Drifted, message, Wake::Resync))
}

fn unusable(wanted: &Wanted, state: &str) -> Step {
    let message = format!("{} is {state} in Azure; managementPolicy Observe does not make it again", label(&wanted.id));
    Step::Rest(Rest::new(State::Stalled, Reason::Drifted, message, Wake::Resync))
}

/// Azure took what was written and shows something else: the same again and again would come to the same.
pub(super) fn written_in_vain(wanted: &Wanted, failed: Option<&str>, differences: &[String]) -> Step {
    let (reason, why) = match failed {
        Some(state) => (Reason::AzureUnavailable, format!("is {state} in Azure")),
        None => (Reason::Drifted, format!("differs from the spec in {}", listed(differences))),
    };
    let message = format!(
        "{} {why} right after it was written; it is written again later, unless the spec changes",
        label(&wanted.id)
    );
    Step::Rest(Rest::new(State::Waiting, reason, message, passing(Class::Slow)))
}

pub(super) fn passing(class: Class) -> Wake {
    Wake::Backoff { class, retry_after: None }
}

pub(super) fn fixed_differs(wanted: &Wanted, observed: &Value, fixed: &str) -> Step {
    let there = observed.pointer(fixed).and_then(Value::as_str).unwrap_or("none");
    let here = wanted.body.pointer(fixed).and_then(Value::as_str).unwrap_or("none");
    let message = format!(
        "{} has {} {there} where the spec says {here}, and Azure never changes that: put the spec right or choose another azureName; only where nobody needs what is there, delete it in Azure, and it is made anew",
        label(&wanted.id),
        listed(&[fixed.to_owned()])
    );
    Step::Rest(Rest::new(State::Stalled, Reason::FixedFieldDiffers, message, Wake::Resync))
}

/// JSON pointers as a person reads them. Names only: values may be nobody's business.
#[must_use]
pub fn listed(pointers: &[String]) -> String {
    let plain =
        |at: &String| at.trim_start_matches('/').trim_start_matches("properties/").replace('/', ".").replace("~1", "/");
    pointers.iter().map(plain).collect::<Vec<_>>().join(", ")
}
