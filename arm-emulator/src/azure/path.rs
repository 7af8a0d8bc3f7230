//! Paths that lead to something other than machine learning.

use crate::arm_path::decoded;

/// A type of resource that is only kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    StorageAccount,
    KeyVault,
    Registry,
    Component,
    RoleAssignment,
    DiagnosticSetting,
}

impl Kind {
    const ALL: [Self; 6] = [
        Self::StorageAccount,
        Self::KeyVault,
        Self::Registry,
        Self::Component,
        Self::RoleAssignment,
        Self::DiagnosticSetting,
    ];

    pub(crate) const fn full_name(self) -> &'static str {
        match self {
            Self::StorageAccount => "Microsoft.Storage/storageAccounts",
            Self::KeyVault => "Microsoft.KeyVault/vaults",
            Self::Registry => "Microsoft.ContainerRegistry/registries",
            Self::Component => "Microsoft.Insights/components",
            Self::RoleAssignment => "Microsoft.Authorization/roleAssignments",
            Self::DiagnosticSetting => "Microsoft.Insights/diagnosticSettings",
        }
    }

    /// Whether it stands on another resource, a group or a subscription, instead of in a group.
    pub(crate) const fn is_extension(self) -> bool {
        matches!(self, Self::RoleAssignment | Self::DiagnosticSetting)
    }

    /// Whether a PUT of a new one is 201: so in the reference for role assignments, while a diagnostic setting is always
    /// 200; of the rest it does not tell.
    pub(crate) const fn answers_created(self) -> bool {
        matches!(self, Self::RoleAssignment | Self::KeyVault | Self::Registry)
    }

    fn parse(namespace: &str, name: &str) -> Option<Self> {
        let full = format!("{namespace}/{name}");
        Self::ALL.into_iter().find(|kind| kind.full_name().eq_ignore_ascii_case(&full))
    }
}

/// What a path leads to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Target {
    Groups(String),
    Group(String, String),
    Provider { subscription: String, namespace: String },
    Register { subscription: String, namespace: String, register: bool },
    List { kind: Kind, scope: String },
    One { kind: Kind, scope: String, name: String },
}

impl Target {
    /// The namespace whose provider the call needs, where it needs any.
    pub(crate) fn namespace(&self) -> Option<&'static str> {
        match self {
            Self::List { kind, .. } | Self::One { kind, .. } => kind.full_name().split('/').next(),
            _ => None,
        }
    }
}

/// What the path leads to, unless it is for the machine learning service or for nobody.
pub(crate) fn target(path: &str) -> Option<Target> {
    let decoded = decoded(path);
    let segments: Vec<&str> = decoded.iter().map(String::as_str).collect();
    let is = |segment: &str, word: &str| segment.eq_ignore_ascii_case(word);
    let own = |text: &str| text.to_owned();
    match segments.as_slice() {
        [first, subscription, groups] if is(first, "subscriptions") && is(groups, "resourceGroups") => {
            Some(Target::Groups(own(subscription)))
        }
        [_, subscription, groups, name] if is(groups, "resourceGroups") => {
            Some(Target::Group(own(subscription), own(name)))
        }
        [_, subscription, providers, namespace] if is(providers, "providers") => {
            Some(Target::Provider { subscription: own(subscription), namespace: own(namespace) })
        }
        [_, subscription, providers, namespace, verb]
            if is(providers, "providers") && (is(verb, "register") || is(verb, "unregister")) =>
        {
            let (subscription, namespace) = (own(subscription), own(namespace));
            Some(Target::Register { subscription, namespace, register: is(verb, "register") })
        }
        [scope @ .., providers, namespace, name] if is(providers, "providers") => {
            let kind = Kind::parse(namespace, name)?;
            Some(Target::List { kind, scope: format!("/{}", scope.join("/")) })
        }
        [scope @ .., providers, namespace, kind, name] if is(providers, "providers") => {
            let kind = Kind::parse(namespace, kind)?;
            let in_group = matches!(scope, [_, _, groups, _] if is(groups, "resourceGroups"));
            let scope = format!("/{}", scope.join("/"));
            (in_group || kind.is_extension()).then(|| Target::One { kind, scope, name: own(name) })
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GROUP: &str = "/subscriptions/s/resourceGroups/rg";

    #[test]
    fn extensions_stand_on_any_scope_and_others_in_a_group() {
        let on_hub = format!(
            "{GROUP}/providers/Microsoft.MachineLearningServices/workspaces/hub/providers/microsoft.insights/\
             diagnosticsettings/d"
        );
        assert!(matches!(target(&on_hub), Some(Target::One { kind: Kind::DiagnosticSetting, .. })));
        let account = "/providers/Microsoft.Storage/storageAccounts/a";
        assert!(matches!(target(&format!("{GROUP}{account}")), Some(Target::One { .. })));
        assert_eq!(target(&format!("/subscriptions/s{account}")), None);
    }

    #[test]
    fn what_is_for_the_machine_learning_service_is_left_to_it() {
        for below in ["workspaces", "workspaces/hub", "workspaces/hub/connections/c"] {
            assert_eq!(target(&format!("{GROUP}/providers/Microsoft.MachineLearningServices/{below}")), None);
        }
    }
}
