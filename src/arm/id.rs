//! ARM ids: compared without letter case, because ARM changes it on the way (ARM reference, section 3).

use std::fmt;
use std::hash::{Hash, Hasher};

/// The id of one Azure resource. Only ids whose segments cannot change a URL's meaning exist.
#[derive(Clone)]
pub struct ArmId(String);

/// The text is not the id of a resource in a resource group.
#[derive(Debug, thiserror::Error)]
#[error(
    "`{0}` is not an ARM id of the form /subscriptions/<guid>/resourceGroups/<name>/providers/<namespace>/<type>/<name>"
)]
pub struct InvalidArmId(String);

const WORKSPACES: &str = "Microsoft.MachineLearningServices/workspaces";
/// `subscriptions/{s}/resourceGroups/{rg}/providers/{namespace}/{type}/{name}`
const SEGMENTS_OF_TOP_LEVEL: usize = 8;

impl ArmId {
    /// The id of a hub or project.
    ///
    /// # Errors
    /// [`InvalidArmId`] where a part has characters that no Azure name has.
    pub fn workspace(subscription: &str, resource_group: &str, name: &str) -> Result<Self, InvalidArmId> {
        Self::parse(&format!(
            "/subscriptions/{subscription}/resourceGroups/{resource_group}/providers/{WORKSPACES}/{name}"
        ))
    }

    /// Reads an id as users and Azure write it.
    ///
    /// # Errors
    /// [`InvalidArmId`] where it does not have the form, or a segment has other than letters, digits and `-_.()`.
    pub fn parse(text: &str) -> Result<Self, InvalidArmId> {
        let invalid = || InvalidArmId(text.chars().take(256).collect());
        let segments: Vec<&str> = text.strip_prefix('/').ok_or_else(invalid)?.split('/').collect();
        let clean = |segment: &&str| {
            !segment.is_empty()
                && !segment.chars().all(|c| c == '.')
                && segment.chars().all(|c| c.is_ascii_alphanumeric() || "-_.()".contains(c))
        };
        let keyword = |at: usize, word: &str| segments.get(at).is_some_and(|s: &&str| s.eq_ignore_ascii_case(word));
        let well_formed = segments.len() >= SEGMENTS_OF_TOP_LEVEL
            && segments.len().is_multiple_of(2)
            && keyword(0, "subscriptions")
            && keyword(2, "resourceGroups")
            && keyword(4, "providers")
            && segments.iter().all(clean);
        if well_formed { Ok(Self(text.to_owned())) } else { Err(invalid()) }
    }

    /// A child of this resource, such as a workspace's connection.
    ///
    /// # Errors
    /// [`InvalidArmId`] where the name has characters that no Azure name has.
    pub fn child(&self, type_: &str, name: &str) -> Result<Self, InvalidArmId> {
        Self::parse(&format!("{}/{type_}/{name}", self.0))
    }

    /// The id as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The resource's own name.
    #[must_use]
    pub fn name(&self) -> &str {
        self.0.rsplit('/').next().unwrap_or_default()
    }

    /// The subscription that the resource is in.
    #[must_use]
    pub fn subscription(&self) -> &str {
        self.segment(1)
    }

    /// The resource group that the resource is in.
    #[must_use]
    pub fn resource_group(&self) -> &str {
        self.segment(3)
    }

    /// The top-level resource that this one is, or is a child of: what ARM locks while it writes.
    #[must_use]
    pub fn top_level(&self) -> Self {
        let end = self.0.match_indices('/').nth(SEGMENTS_OF_TOP_LEVEL).map_or(self.0.len(), |(at, _)| at);
        Self(self.0[..end].to_owned())
    }

    /// The type of the resource, such as `Microsoft.MachineLearningServices/workspaces/connections`.
    #[must_use]
    pub fn resource_type(&self) -> String {
        let segments: Vec<&str> = self.0.split('/').skip(6).collect();
        let namespace = segments.first().copied().unwrap_or_default();
        let types = segments.iter().skip(1).step_by(2).copied();
        std::iter::once(namespace).chain(types).collect::<Vec<_>>().join("/")
    }

    fn segment(&self, at: usize) -> &str {
        self.0.split('/').nth(at + 1).unwrap_or_default()
    }
}

impl PartialEq for ArmId {
    fn eq(&self, other: &Self) -> bool {
        self.0.eq_ignore_ascii_case(&other.0)
    }
}

impl Eq for ArmId {}

impl Hash for ArmId {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.0.to_ascii_lowercase().hash(state);
    }
}

impl fmt::Display for ArmId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for ArmId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SUBSCRIPTION: &str = "00000001-0000-4000-8000-000000000001";

    fn workspace() -> ArmId {
        ArmId::workspace(SUBSCRIPTION, "rg-ai", "hub-contoso").unwrap()
    }

    #[test]
    fn ids_are_equal_whatever_their_letter_case() {
        assert_eq!(workspace(), ArmId::parse(&workspace().as_str().to_uppercase()).unwrap());
    }

    #[test]
    fn a_connection_writes_to_its_workspace() {
        let connection = workspace().child("connections", "aoai").unwrap();
        assert_eq!(connection.top_level(), workspace());
        assert_eq!(connection.name(), "aoai");
        assert_eq!(connection.resource_group(), "rg-ai");
        assert_eq!(connection.subscription(), SUBSCRIPTION);
        assert_eq!(connection.resource_type(), "Microsoft.MachineLearningServices/workspaces/connections");
    }

    #[test]
    fn segments_that_would_change_a_url_are_refused() {
        for name in ["..", "a/b", "a?b", "a%2fb", "a#b", "", "ä"] {
            assert!(ArmId::workspace(SUBSCRIPTION, "rg-ai", name).is_err(), "{name}");
        }
    }

    #[test]
    fn what_is_not_a_resource_in_a_resource_group_is_refused() {
        for text in ["", "/", "/subscriptions/x", "/subscriptions/x/resourceGroups/y", "https://management.azure.com/"]
        {
            assert!(ArmId::parse(text).is_err(), "{text}");
        }
    }
}
