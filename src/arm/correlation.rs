//! What Azure and the operator name the same work by.

use std::fmt;
use std::sync::Arc;

/// A random GUID, sent with each call of one reconcile as `x-ms-correlation-request-id`, to be found by in Azure's activity
/// log. Copies are the same id.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CorrelationId(Arc<str>);

impl CorrelationId {
    /// A new one.
    #[must_use]
    pub fn random() -> Self {
        Self(guid(fastrand::u128(..)).into())
    }

    /// As it stands in a header.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for CorrelationId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A GUID of version 4 from so much chance.
pub(super) fn guid(random: u128) -> String {
    let random = format!("{random:032x}");
    format!("{}-{}-4{}-8{}-{}", &random[..8], &random[8..12], &random[13..16], &random[17..20], &random[20..])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_guid_has_its_version_and_its_form() {
        assert_eq!(guid(0x1234_5678), "00000000-0000-4000-8000-000012345678");
        assert_eq!(guid(u128::MAX), "ffffffff-ffff-4fff-8fff-ffffffffffff");
    }
}
