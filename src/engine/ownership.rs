//! Whose a resource is: what stands between an operator and other people's data.

use serde_json::Value;

use crate::api::status::OwnedResource;
use crate::arm::ResourceType;

/// The tag, or key of a connection's metadata, that names the owner. ARM takes no `/` in a tag's name.
pub const OWNER_KEY: &str = "foundryoperator.dev.owner";
/// Longest value of a tag that ARM takes.
const TAG_VALUE_LIMIT: usize = 256;

/// The owner mark of an object: `{cluster}/{namespace}/{name}`, with the name as a hash where a tag cannot hold it.
#[must_use]
pub fn mark(cluster: &str, namespace: &str, name: &str) -> String {
    let mark = format!("{cluster}/{namespace}/{name}");
    if mark.len() <= TAG_VALUE_LIMIT {
        mark
    } else {
        format!("{cluster}/{namespace}/{}", super::body::hash(&name.into()))
    }
}

/// Whose a resource is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ownership {
    /// This object's.
    Ours,
    /// Nobody's that says so.
    Unmarked,
    /// Another object's, by its mark.
    Foreign(String),
}

/// Judges by the mark; where somebody took it off, by the time of creation, which only Azure sets. A part, which can carry
/// no mark, belongs to whom the resource belongs that it is part of: that has to be judged first.
#[must_use]
pub fn judge(observed: &Value, type_: &ResourceType, mark: &str, recorded: Option<&OwnedResource>) -> Ownership {
    let Some(marked) = type_.mark_in else { return Ownership::Ours };
    let found = observed.pointer(marked).and_then(|map| map[OWNER_KEY].as_str()).filter(|mark| !mark.is_empty());
    match found {
        Some(found) if found == mark => Ownership::Ours,
        Some(found) => Ownership::Foreign(found.to_owned()),
        None => {
            let known = recorded.and_then(|recorded| recorded.created_at.as_deref());
            if known.is_some() && known == created_at(observed) { Ownership::Ours } else { Ownership::Unmarked }
        }
    }
}

/// Whether a resource is the very one that the inventory means, as far as that was ever seen.
#[must_use]
pub fn is_the_one(owned: &OwnedResource, observed: &Value) -> bool {
    owned.created_at.is_none() || owned.created_at.as_deref() == created_at(observed)
}

/// When Azure made the resource.
#[must_use]
pub fn created_at(observed: &Value) -> Option<&str> {
    observed["systemData"]["createdAt"].as_str()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::arm::resource_type::{CONNECTION, WORKSPACE};

    const MARK: &str = "cluster/team/churn";

    fn recorded(created_at: &str) -> OwnedResource {
        OwnedResource { created_at: Some(created_at.to_owned()), ..OwnedResource::default() }
    }

    #[test]
    fn the_mark_decides() {
        let marked = |mark: &str| json!({"tags": {OWNER_KEY: mark}, "systemData": {"createdAt": "t"}});
        assert_eq!(judge(&marked(MARK), &WORKSPACE, MARK, None), Ownership::Ours);
        let other = Ownership::Foreign("cluster/team/other".to_owned());
        assert_eq!(judge(&marked("cluster/team/other"), &WORKSPACE, MARK, Some(&recorded("t"))), other);
    }

    #[test]
    fn a_connection_is_marked_in_its_metadata() {
        let connection = json!({"properties": {"metadata": {OWNER_KEY: MARK}}});
        assert_eq!(judge(&connection, &CONNECTION, MARK, None), Ownership::Ours);
    }

    #[test]
    fn a_resource_whose_mark_was_taken_off_is_known_by_its_time_of_creation() {
        let bare = json!({"tags": null, "systemData": {"createdAt": "t"}});
        assert_eq!(judge(&bare, &WORKSPACE, MARK, Some(&recorded("t"))), Ownership::Ours);
        assert_eq!(judge(&bare, &WORKSPACE, MARK, Some(&recorded("earlier"))), Ownership::Unmarked);
        assert_eq!(judge(&bare, &WORKSPACE, MARK, Some(&OwnedResource::default())), Ownership::Unmarked);
        assert_eq!(judge(&bare, &WORKSPACE, MARK, None), Ownership::Unmarked);
    }

    #[test]
    fn a_mark_fits_a_tag() {
        let long = mark("c0ffee00-0000-4000-8000-000000000000", &"n".repeat(63), &"x".repeat(253));
        assert!(long.len() <= TAG_VALUE_LIMIT);
        assert_ne!(long, mark("c0ffee00-0000-4000-8000-000000000000", &"n".repeat(63), &"y".repeat(253)));
    }
}
