//! Looking at Azure.

use std::time::Duration;

use jiff::Timestamp;

use super::publish::age;
use super::{Next, Session, api_version};
use crate::api::conditions::Reason;
use crate::api::status::Operation;
use crate::arm::resource_type::label;
use crate::arm::{ArmId, Progress};
use crate::engine::inventory;
use crate::engine::kind::Kind;
use crate::engine::sight::{Sight, Target};
use crate::engine::verdict::{Rest, State, Wake};

/// When a resource is looked at whose operation Azure does not tell of.
const UNTOLD: Duration = Duration::from_secs(10);

impl<K: Kind> Session<'_, K> {
    pub(super) async fn observe(&mut self, target: Target) -> Next {
        let at = Timestamp::now();
        let arm = self.arm();
        let (id, what, seen) = match &target {
            Target::Resource(id) => {
                let seen = arm.get(id, api_version(id)).await;
                (id, "read".to_owned(), seen.map(|found| found.map_or(Sight::Absent, Sight::Present)))
            }
            Target::Collection(id, collection) => {
                let seen = arm.list(id, collection, api_version(id)).await;
                (id, format!("read the {collection} of"), seen.map(|items| Sight::Items(items.unwrap_or_default())))
            }
            Target::Operation(_) => return Next::Plan,
        };
        match seen {
            Ok(sight) => {
                self.context.observed.saw(&self.holder(), at);
                self.sights.insert(target, at, sight);
                Next::Plan
            }
            Err(error) => {
                let id = id.clone();
                Next::Rest(self.judge(&what, &id, &error).await)
            }
        }
    }

    pub(super) async fn poll(&mut self, operation: Operation) -> Next {
        let Ok(id) = ArmId::parse(&operation.resource_id) else {
            K::engine(&mut self.status).operation = None;
            return Next::Plan;
        };
        self.context.gate.hold_for_operation(&self.turn(&id));
        let progress = match self.arm().poll(&operation.url).await {
            Ok(progress) => progress,
            Err(error) => return Next::Rest(self.set_back("follow the operation on", &id, &error)),
        };
        if let Progress::Running { retry_after } = progress {
            self.sights.insert(Target::Operation(operation.url), Timestamp::now(), Sight::Running(retry_after));
            return Next::Plan;
        }
        K::engine(&mut self.status).operation = None;
        self.context.gate.leave(&self.holder());
        match progress {
            Progress::Failed(error) => {
                tracing::warn!(resource = %id, %error, "operation on {id} failed");
                self.refused(operation.kind, &id, operation.attempt, &error).await
            }
            Progress::Succeeded => {
                self.context.pace.ended(K::leads_share(), operation.kind, age(&operation));
                self.just_done = Some((operation.kind, id.clone()));
                if let Some(applied) = operation.sent {
                    inventory::written(&mut K::engine(&mut self.status).resources, &id, applied);
                }
                self.tell_of_end(operation.kind, &id);
                Next::Plan
            }
            Progress::Untold(error) => {
                tracing::warn!(resource = %id, %error, "Azure does not tell how the operation on {id} goes");
                let message =
                    format!("Azure does not tell how its operation goes ({error}); looking at {} instead", label(&id));
                Next::Rest(Rest::new(State::Working, Reason::InProgress, message, Wake::After(UNTOLD)))
            }
            Progress::Running { .. } => Next::Plan,
        }
    }
}
