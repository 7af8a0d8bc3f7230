//! Which bucket a call takes from: ARM has one for each subscription and kind of operation (ARM reference, section 7).

use reqwest::{Method, Url};

/// The kind of a call, as ARM counts it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum CallKind {
    /// GET and HEAD.
    Read,
    /// PUT, PATCH and POST.
    Write,
    /// DELETE.
    Delete,
}

impl CallKind {
    /// The word that ARM's headers have for it.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Read => "reads",
            Self::Write => "writes",
            Self::Delete => "deletes",
        }
    }

    fn of(method: &Method) -> Self {
        match *method {
            Method::GET | Method::HEAD => Self::Read,
            Method::DELETE => Self::Delete,
            _ => Self::Write,
        }
    }
}

/// One of ARM's buckets.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Lane {
    /// In lower case; empty for what is in no subscription.
    pub subscription: String,
    /// What is counted.
    pub kind: CallKind,
}

impl Lane {
    /// The bucket that a call takes from.
    #[must_use]
    pub fn of(method: &Method, url: &Url) -> Self {
        let mut segments = url.path_segments().into_iter().flatten();
        segments.find(|segment| segment.eq_ignore_ascii_case("subscriptions"));
        let subscription = segments.next().unwrap_or_default().to_ascii_lowercase();
        Self { subscription, kind: CallKind::of(method) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lane(method: &Method, path: &str) -> Lane {
        Lane::of(method, &format!("https://management.azure.com{path}?api-version=1").parse().unwrap())
    }

    #[test]
    fn a_subscription_has_one_for_each_kind_of_call() {
        let of = |kind| Lane { subscription: "abc".to_owned(), kind };
        assert_eq!(lane(&Method::GET, "/subscriptions/ABC/resourceGroups/rg"), of(CallKind::Read));
        assert_eq!(lane(&Method::POST, "/Subscriptions/abc/providers/x/register"), of(CallKind::Write));
        assert_eq!(lane(&Method::PATCH, "/gateway/subscriptions/abc"), of(CallKind::Write));
        assert_eq!(lane(&Method::DELETE, "/subscriptions/abc/x"), of(CallKind::Delete));
    }

    #[test]
    fn an_operation_counts_as_a_read_of_its_subscription() {
        let path =
            "/subscriptions/abc/providers/Microsoft.MachineLearningServices/locations/l/workspaceOperationsStatus/1";
        assert_eq!(lane(&Method::GET, path), Lane { subscription: "abc".to_owned(), kind: CallKind::Read });
    }

    #[test]
    fn what_is_in_no_subscription_has_its_own() {
        assert_eq!(lane(&Method::GET, "/providers/x").subscription, "");
    }
}
