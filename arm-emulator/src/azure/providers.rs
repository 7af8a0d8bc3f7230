//! Which resource providers a subscription is registered for (ARM reference, section 10).

use std::collections::BTreeMap;
use std::time::Duration;

use axum::http::StatusCode;
use jiff::{SignedDuration, Timestamp};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::errors::ArmError;

/// How a subscription stands to a resource provider.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum RegistrationState {
    /// It cannot be used.
    NotRegistered,
    /// It is about to be usable.
    Registering,
    /// It can be used.
    Registered,
    /// It is about to be no longer usable.
    Unregistering,
}

/// The providers that are not registered, or are about to be; every other one is.
#[derive(Debug, Default)]
pub(crate) struct Providers {
    /// By subscription and namespace in lower case: the state, and when it comes to its end.
    states: BTreeMap<(String, String), (RegistrationState, Option<Timestamp>)>,
    /// The same for all subscriptions alike, as set by hand.
    by_hand: BTreeMap<String, RegistrationState>,
}

impl Providers {
    /// Sets the state in every subscription.
    pub(crate) fn set(&mut self, namespace: &str, state: RegistrationState) {
        let namespace = namespace.to_lowercase();
        self.states.retain(|(_, known), _| *known != namespace);
        self.by_hand.insert(namespace, state);
    }

    pub(crate) fn advance(&mut self, now: Timestamp) {
        for (state, ends) in self.states.values_mut() {
            if ends.is_some_and(|ends| ends <= now) {
                *state = match *state {
                    RegistrationState::Registering => RegistrationState::Registered,
                    RegistrationState::Unregistering => RegistrationState::NotRegistered,
                    state => state,
                };
                *ends = None;
            }
        }
    }

    fn state(&self, subscription: &str, namespace: &str) -> RegistrationState {
        let namespace = namespace.to_lowercase();
        self.states
            .get(&(subscription.to_lowercase(), namespace.clone()))
            .map(|(state, _)| *state)
            .or_else(|| self.by_hand.get(&namespace).copied())
            .unwrap_or(RegistrationState::Registered)
    }

    pub(crate) fn register(
        &mut self,
        subscription: &str,
        namespace: &str,
        register: bool,
        now: Timestamp,
        lasts: Duration,
    ) {
        let before = self.state(subscription, namespace);
        let state = match (register, before) {
            (true, RegistrationState::Registered) | (false, RegistrationState::NotRegistered) => return,
            (true, _) => RegistrationState::Registering,
            (false, _) => RegistrationState::Unregistering,
        };
        let lasts = SignedDuration::try_from(lasts).unwrap_or(SignedDuration::MAX);
        let ends = now.saturating_add(lasts).unwrap_or(Timestamp::MAX);
        self.states.insert((subscription.to_lowercase(), namespace.to_lowercase()), (state, Some(ends)));
    }

    pub(crate) fn show(&self, subscription: &str, namespace: &str) -> Value {
        json!({
            "id": format!("/subscriptions/{subscription}/providers/{namespace}"),
            "namespace": namespace,
            "registrationPolicy": "RegistrationRequired",
            "registrationState": self.state(subscription, namespace),
            "resourceTypes": []
        })
    }

    /// Refuses a write to a provider that the subscription cannot use. That it is a 409 is general ARM.
    pub(crate) fn check(&self, method: &str, subscription: &str, namespace: &str) -> Result<(), ArmError> {
        let usable = !matches!(
            self.state(subscription, namespace),
            RegistrationState::NotRegistered | RegistrationState::Registering
        );
        if usable || matches!(method, "GET" | "HEAD") {
            return Ok(());
        }
        Err(ArmError::gateway(
            StatusCode::CONFLICT,
            "MissingSubscriptionRegistration",
            format!(
                "The subscription is not registered to use namespace '{namespace}'. See https://aka.ms/rps-not-found for \
                 how to register subscriptions."
            ),
        ))
    }
}
