//! What Azure refused, perhaps only because the subscription is not registered for the resource provider.

use super::Session;
use crate::api::conditions::Reason;
use crate::api::policies::ManagementPolicy;
use crate::arm::providers::Registration;
use crate::arm::resource_type::label;
use crate::arm::{ArmError, ArmId, Cause, Class};
use crate::engine::kind::Kind;
use crate::engine::verdict::{Rest, State, Wake};

impl<K: Kind> Session<'_, K> {
    /// Judges what Azure refused, and has registered what is not, if the object may change anything.
    pub(super) async fn judge(&mut self, verb: &str, id: &ArmId, error: &ArmError) -> Rest {
        let manages = self.object.policies().management == ManagementPolicy::Manage;
        let Some(provider) = error.unregistered.as_ref().filter(|_| manages) else {
            return self.set_back(verb, id, error);
        };
        let what = format!("resource provider {} in subscription {}", provider.namespace, provider.subscription);
        match self.context.providers.register(&self.context.arm, provider).await {
            Registration::Off => return self.set_back(verb, id, error),
            Registration::Refused(refusal) => {
                let mut rest = self.set_back(verb, id, error);
                let why = match refusal.cause {
                    Cause::Forbidden => format!("it needs {}/register/action in the subscription", provider.namespace),
                    _ => refusal.message,
                };
                rest.message =
                    format!("{}; the operator could not do that itself ({}): {why}", rest.message, refusal.code);
                return rest;
            }
            Registration::Begun => self.tell(Reason::RegisteringProvider, &format!("registering {what}")),
            Registration::Underway => {}
        }
        let message = format!("registering {what}, which {} needs; Azure takes some minutes", label(id));
        let wake = Wake::Backoff { class: Class::Fast, retry_after: None };
        Rest::new(State::Working, Reason::RegisteringProvider, message, wake)
    }
}
