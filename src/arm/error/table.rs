//! The one place where an error of Azure's gets its meaning: what it says, what stands in the way, whether that passes, and
//! what a person can do (ARM reference, section 7). The first row that fits counts.

use super::{Cause, Class};

/// By what a row knows an error.
#[derive(Clone, Copy, Debug)]
enum Says {
    /// HTTP statuses from the first to the last.
    Status(u16, u16),
    /// A sentence that is part of the message.
    Sentence(&'static str),
    /// The most telling code of the envelope.
    Code(&'static str),
}

/// What a person can do about an error.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Remedy {
    /// Nothing but to wait.
    Wait,
    /// What this text says.
    Do(&'static str),
    /// Assign the role that has the action, on the scope, both of which the message names.
    AssignRole,
    /// Take away the lock that the message names.
    Unlock,
    /// Register the resource provider that the message names.
    Register,
    /// Create the resource group that the message names.
    CreateGroup,
}

/// What an error means.
#[derive(Clone, Copy, Debug)]
pub(super) struct Meaning {
    pub(super) cause: Cause,
    pub(super) class: Class,
    pub(super) remedy: Remedy,
}

const MEND: Remedy = Remedy::Do("mend the spec and apply it again");

/// The order is that of the reference: first what the status alone says, then the code, and the other statuses last.
#[rustfmt::skip]
const TABLE: &[(Says, Cause, Class, Remedy)] = {
    use Cause::{Busy, DependencyMissing, Forbidden, HasProjects, NotFound, Refused, SignIn, Throttled, Unavailable};
    use Class::{Fast, Lasting, Slow};
    use Remedy::{AssignRole, CreateGroup, Do, Register, Unlock, Wait};
    use Says::{Code, Sentence, Status};
    &[
        (Status(408, 408), Unavailable, Fast, Wait),
        (Status(429, 429), Throttled, Fast, Wait),
        (Status(500, 599), Unavailable, Fast, Wait),

        (Sentence("still has associated AI projects"), HasProjects, Slow, Do("delete the hub's projects first")),
        (Sentence("Soft-deleted workspace exists"), Refused, Lasting,
            Do("purge or recover the soft-deleted workspace in Azure, or choose another azureName")),
        (Sentence("Create workspace connection failed"), Busy, Fast, Wait),

        (Code("AnotherOperationInProgress"), Busy, Fast, Wait),
        (Code("Conflict"), Busy, Fast, Wait),
        (Code("AuthorizationFailed"), Forbidden, Slow, AssignRole),
        (Code("LinkedAuthorizationFailed"), Forbidden, Slow, AssignRole),
        (Code("ScopeLocked"), Forbidden, Slow, Unlock),
        // Only ARM and the service itself can say that something is not there: a 404 of a proxy's says nothing.
        (Code("ResourceNotFound"), NotFound, Slow, Wait),
        (Code("NotFoundError"), NotFound, Slow, Wait),
        (Code("MissingSubscriptionRegistration"), DependencyMissing, Slow, Register),
        (Code("ResourceGroupNotFound"), DependencyMissing, Slow, CreateGroup),
        (Code("ParentResourceNotFound"), DependencyMissing, Slow, Wait),
        (Code("PrincipalNotFound"), DependencyMissing, Fast, Wait),
        (Code("StorageAccountIsNotProvisioned"), DependencyMissing, Fast, Wait),
        (Code("ExpiredAuthenticationToken"), SignIn, Fast, Wait),
        (Code("InvalidAuthenticationTokenTenant"), SignIn, Slow,
            Do("the subscription is of another tenant than the operator's identity: check subscriptionId and --tenant-id")),
        (Code("QuotaExceeded"), Refused, Slow, Do("ask for more quota in Azure, or free some")),
        (Code("RequestDisallowedByPolicy"), Refused, Lasting,
            Do("an Azure Policy forbids this: mend the spec, or have the policy changed")),
        (Code("SubscriptionNotFound"), Refused, Lasting,
            Do("check subscriptionId, and that the operator's identity has a role in that subscription")),
        (Code("BadRequest"), Refused, Lasting, MEND),
        (Code("InvalidParameter"), Refused, Lasting, MEND),
        (Code("InvalidResourceLocation"), Refused, Lasting, MEND),
        (Code("InvalidResourceType"), Refused, Lasting, MEND),
        (Code("LocationNotAvailableForResourceType"), Refused, Lasting, MEND),
        (Code("NoRegisteredProviderFound"), Refused, Lasting, MEND),
        (Code("PropertyChangeNotAllowed"), Refused, Lasting, MEND),
        (Code("SkuNotAvailable"), Refused, Lasting, MEND),
        (Code("ValidationError"), Refused, Lasting, MEND),

        (Status(400, 400), Refused, Lasting, MEND),
        (Status(401, 401), SignIn, Slow,
            Do("Azure does not take the operator's token: check --tenant-id, --arm-audience and --azure-cloud")),
        (Status(403, 403), Forbidden, Slow, AssignRole),
        (Status(409, 409), Busy, Fast, Wait),
    ]
};

/// What an error means. `status` is absent where an operation failed.
pub(super) fn meaning(status: Option<u16>, code: &str, message: &str) -> Meaning {
    let fits = |says: Says| match says {
        Says::Status(first, last) => status.is_some_and(|status| (first..=last).contains(&status)),
        Says::Sentence(sentence) => message.contains(sentence),
        Says::Code(known) => code == known,
    };
    TABLE.iter().find(|(says, ..)| fits(*says)).map_or(
        Meaning { cause: Cause::Unavailable, class: Class::Slow, remedy: Remedy::Wait },
        |&(_, cause, class, remedy)| Meaning { cause, class, remedy },
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_case_of_the_reference_means_what_it_says() {
        use Cause::{Busy, DependencyMissing, HasProjects, Refused, Unavailable};
        use Class::{Fast, Lasting, Slow};
        #[rustfmt::skip]
        let cases = [
            (Some(400), "ValidationError", "Missing dependent resources in workspace json", Refused, Lasting),
            (Some(400), "UserError", "AI hub still has associated AI projects", HasProjects, Slow),
            (Some(400), "BadRequest", "Soft-deleted workspace exists. Please purge or recover it. https://aka.ms/wsoftdelete", Refused, Lasting),
            (None, "BadRequest", "Storage Account update is not supported yet", Refused, Lasting),
            (Some(400), "ValidationError", "Managed network cannot be disabled once enabled.", Refused, Lasting),
            (Some(400), "BadRequest", "Project workspace shouldn't define it's own managed network properties.", Refused, Lasting),
            (Some(400), "UserError", "Create workspace connection failed.", Busy, Fast),
            (Some(502), "", "", Unavailable, Fast),
            (Some(400), "StorageAccountIsNotProvisioned", "", DependencyMissing, Fast),
            (None, "StorageAccountIsNotProvisioned", "", DependencyMissing, Fast),
        ];
        for (status, code, message, cause, class) in cases {
            let meaning = meaning(status, code, message);
            assert_eq!((meaning.cause, meaning.class), (cause, class), "{status:?} {code} {message}");
        }
    }

    #[test]
    fn each_code_of_the_reference_means_what_it_says() {
        use Cause::{Busy, DependencyMissing, Forbidden, NotFound, Refused, SignIn, Throttled, Unavailable};
        use Class::{Fast, Lasting, Slow};
        #[rustfmt::skip]
        let codes = [
            (408, "RequestTimeout", Unavailable, Fast, Remedy::Wait),
            (429, "TooManyRequests", Throttled, Fast, Remedy::Wait),
            (500, "InternalServerError", Unavailable, Fast, Remedy::Wait),
            (503, "ValidationError", Unavailable, Fast, Remedy::Wait),
            (409, "AnotherOperationInProgress", Busy, Fast, Remedy::Wait),
            (409, "Conflict", Busy, Fast, Remedy::Wait),
            (409, "SomethingNew", Busy, Fast, Remedy::Wait),
            (403, "AuthorizationFailed", Forbidden, Slow, Remedy::AssignRole),
            (403, "LinkedAuthorizationFailed", Forbidden, Slow, Remedy::AssignRole),
            (403, "SomethingNew", Forbidden, Slow, Remedy::AssignRole),
            (409, "MissingSubscriptionRegistration", DependencyMissing, Slow, Remedy::Register),
            (404, "ParentResourceNotFound", DependencyMissing, Slow, Remedy::Wait),
            (404, "ResourceGroupNotFound", DependencyMissing, Slow, Remedy::CreateGroup),
            (404, "ResourceNotFound", NotFound, Slow, Remedy::Wait),
            (404, "NotFoundError", NotFound, Slow, Remedy::Wait),
            (400, "PrincipalNotFound", DependencyMissing, Fast, Remedy::Wait),
            (401, "ExpiredAuthenticationToken", SignIn, Fast, Remedy::Wait),
            (409, "ScopeLocked", Forbidden, Slow, Remedy::Unlock),
            (400, "BadRequest", Refused, Lasting, MEND),
            (400, "InvalidParameter", Refused, Lasting, MEND),
            (400, "ValidationError", Refused, Lasting, MEND),
            (409, "PropertyChangeNotAllowed", Refused, Lasting, MEND),
            (409, "SkuNotAvailable", Refused, Lasting, MEND),
            (400, "LocationNotAvailableForResourceType", Refused, Lasting, MEND),
            (400, "NoRegisteredProviderFound", Refused, Lasting, MEND),
            (404, "InvalidResourceType", Refused, Lasting, MEND),
            (400, "SomethingNew", Refused, Lasting, MEND),
            (418, "SomethingNew", Unavailable, Slow, Remedy::Wait),
        ];
        for (status, code, cause, class, remedy) in codes {
            let meaning = meaning(Some(status), code, "");
            assert_eq!((meaning.cause, meaning.class, meaning.remedy), (cause, class, remedy), "{status} {code}");
        }
        for (status, code, cause, class) in [
            (401, "InvalidAuthenticationToken", SignIn, Slow),
            (403, "RequestDisallowedByPolicy", Refused, Lasting),
            (404, "SubscriptionNotFound", Refused, Lasting),
            (400, "QuotaExceeded", Refused, Slow),
        ] {
            let meaning = meaning(Some(status), code, "");
            assert_eq!((meaning.cause, meaning.class), (cause, class), "{status} {code}");
            assert!(matches!(meaning.remedy, Remedy::Do(_)), "{status} {code}");
        }
    }
}
