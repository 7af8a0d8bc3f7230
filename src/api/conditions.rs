//! Condition types and the documented list of reasons.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;

/// The condition types that the operator sets.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ConditionType {
    /// The resource is in Azure as the spec says, and can be used.
    Ready,
    /// Azure equals the spec at `observedGeneration`.
    Synced,
    /// Everything that the spec refers to in Kubernetes was found and may be used.
    ReferencesResolved,
    /// Present, and then True, only while nothing more will be tried until somebody acts.
    Stalled,
}

impl ConditionType {
    /// The type as it stands in a condition.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Ready => "Ready",
            Self::Synced => "Synced",
            Self::ReferencesResolved => "ReferencesResolved",
            Self::Stalled => "Stalled",
        }
    }
}

macro_rules! reasons {
    ($($(#[$doc:meta])* $name:ident,)+) => {
        /// Why a condition has its status; the same words are the reasons of events.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum Reason { $($(#[$doc])* $name,)+ }

        impl Reason {
            /// Every reason there is.
            pub const ALL: &[Self] = &[$(Self::$name,)+];

            /// The reason as it stands in a condition.
            #[must_use]
            pub fn as_str(self) -> &'static str {
                match self { $(Self::$name => stringify!($name),)+ }
            }
        }
    };
}

reasons! {
    /// All is as the spec says.
    Reconciled,
    /// Everything that the spec refers to was found.
    Resolved,
    /// Azure is making the resource.
    Creating,
    /// Azure is changing the resource.
    Updating,
    /// Azure is deleting the resource.
    Deleting,
    /// Azure is setting up what belongs to the resource, such as a hub's network.
    Provisioning,
    /// Azure is at work on the resource, though not for this object.
    InProgress,
    /// The hub was not found in the cluster.
    HubNotFound,
    /// The hub is not there in Azure yet, or is being deleted.
    HubNotReady,
    /// The hub's owner does not allow projects from this namespace.
    NotAllowedByHub,
    /// The project was not found in the namespace.
    ProjectNotFound,
    /// The project is not there in Azure yet, or is being deleted.
    ProjectNotReady,
    /// A Secret was not found in the namespace.
    SecretNotFound,
    /// A Secret does not have the key that the connection names.
    SecretKeyNotFound,
    /// The operator may not read the Secrets of the namespace.
    SecretForbidden,
    /// No subscription is given, and the operator has no default one.
    SubscriptionUnknown,
    /// Projects still depend on the hub.
    HubHasProjects,
    /// The resource exists in Azure and no object owns it.
    AlreadyExists,
    /// The resource exists in Azure and another object owns it.
    Conflict,
    /// The status names a resource that this operator cannot have made.
    UnknownResource,
    /// The spec asks for another value of a field that Azure fixes at creation.
    FixedFieldDiffers,
    /// Azure differs from the spec, under `managementPolicy: Observe` or right after it was written.
    Drifted,
    /// Under `managementPolicy: Observe`: there is no such resource.
    NotFound,
    /// `managementPolicy: Pause` is set.
    Paused,
    /// Azure refuses the request, and will each time.
    Refused,
    /// The operator's identity may not do this in Azure.
    Forbidden,
    /// The operator's own settings do not allow it to call Azure.
    Misconfigured,
    /// The operator cannot sign in to Azure.
    SignInFailed,
    /// Azure asks to slow down.
    Throttled,
    /// Azure is busy with another operation on the same or a parent resource.
    Busy,
    /// Azure cannot be reached or fails; it is tried again.
    AzureUnavailable,
    /// Something that Azure needs is not there yet; it is tried again.
    DependencyMissing,
    /// The subscription is being registered to use the resource provider.
    RegisteringProvider,
    /// The owner let the resource go and it stays in Azure.
    Orphaned,
    /// The resource was made in Azure.
    Created,
    /// The resource was changed as the spec asks.
    Updated,
    /// What belongs to the resource was set up.
    Provisioned,
    /// The resource was changed back to what the spec says.
    DriftCorrected,
    /// The resource was gone from Azure and is made again.
    Recreating,
    /// Somebody deleted the resource and made another of its name.
    Replaced,
    /// The resource existed and now belongs to this object.
    Adopted,
    /// The resource was deleted from Azure.
    Deleted,
    /// The resource stays in Azure because it is not this object's.
    LeftInPlace,
}

/// The condition of one type, where it is set.
#[must_use]
pub fn find(conditions: &[Condition], type_: ConditionType) -> Option<&Condition> {
    conditions.iter().find(|condition| condition.type_ == type_.as_str())
}

/// Whether the condition of one type is True.
#[must_use]
pub fn is_true(conditions: &[Condition], type_: ConditionType) -> bool {
    find(conditions, type_).is_some_and(|condition| condition.status == "True")
}
