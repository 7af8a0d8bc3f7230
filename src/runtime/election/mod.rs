//! Which of several replicas works: the one that has the lease, as long as it is sure of having it.

mod alarm;
mod layer;
mod record;

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use k8s_openapi::api::coordination::v1::Lease;
use kube::api::PostParams;
use kube::{Api, Client};
use prometheus::IntGauge;
use tokio_util::sync::CancellationToken;

use super::Failure;
use crate::arm::Fence;
use crate::arm::fence::{Moment, Term};
use alarm::Alarm;
pub(super) use layer::Fenced;
use record::{Candidate, LONGEST, Verdict};

/// Name of the lease.
const NAME: &str = "foundry-operator";
/// Longest pause between two looks of a replica that waits: a lease that was given back is taken within it.
const LOOK: Duration = Duration::from_secs(1);
/// Longest time that giving the lease back may take.
const RELEASE: Duration = Duration::from_secs(2);

/// How long a lease lasts, in whole seconds, which is all that a Lease can say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LeaseDuration(u16);

impl LeaseDuration {
    /// `None` where a Lease cannot last so long.
    #[must_use]
    pub fn new(duration: Duration) -> Option<Self> {
        let seconds = u16::try_from(duration.as_secs()).ok()?;
        let fits = duration.subsec_nanos() == 0 && (1..=LONGEST).contains(&seconds);
        fits.then_some(Self(seconds))
    }

    /// How often the lease is renewed, and how long one attempt may take.
    fn renewal(self) -> Duration {
        Duration::from_secs(self.0.into()) / 6
    }

    /// How long there may be writes after a renewal: what is then on its way has the rest of the time to arrive.
    fn writing(self) -> Duration {
        Duration::from_secs(self.0.into()) * 2 / 3
    }

    /// How long after a renewal was asked for the process may run on at all without another.
    fn running(self) -> Duration {
        Duration::from_secs(self.0.into()) * 5 / 6
    }
}

/// How a replica stands, for people.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Standing {
    /// It has not seen the lease yet, and why.
    Unknown(String),
    Waits {
        leader: String,
    },
    Leads,
}

/// How a replica stands, for whoever wants to tell. Copies share it.
#[derive(Clone)]
pub(super) struct Told {
    standing: Arc<Mutex<Standing>>,
    gauge: IntGauge,
}

impl Told {
    pub(super) fn new(gauge: IntGauge) -> Self {
        let unread = Standing::Unknown("the lease has not been read yet".to_owned());
        Self { standing: Arc::new(Mutex::new(unread)), gauge }
    }

    pub(super) fn standing(&self) -> Standing {
        self.standing.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// True where that is news.
    pub(super) fn set(&self, standing: Standing) -> bool {
        self.gauge.set((standing == Standing::Leads).into());
        let mut now = self.standing.lock().unwrap_or_else(PoisonError::into_inner);
        let news = *now != standing;
        *now = standing;
        news
    }
}

/// Why a replica leads no longer.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
enum Lost {
    #[error("{0} has taken it")]
    Taken(String),
    #[error("somebody deleted it")]
    Deleted,
    #[error("it could not be renewed in time")]
    NotRenewed,
}

/// A replica's part in the election.
pub(super) struct Election {
    api: Api<Lease>,
    namespace: String,
    me: String,
    duration: LeaseDuration,
    fence: Fence,
    told: Told,
    alarm: Alarm,
}

impl Election {
    /// `client` passes no fence: the lease is what opens it. `name` is this replica's, as a person knows it.
    ///
    /// # Errors
    /// Where the system gives no alarm clock.
    pub(super) fn new(
        client: Client,
        namespace: &str,
        name: &str,
        duration: LeaseDuration,
        fence: Fence,
        told: Told,
    ) -> Result<Self, Failure> {
        // A process that takes another's place, in the same pod, is not the one that had the lease.
        let me = format!("{name}_{:016x}", fastrand::u64(..));
        let api = Api::namespaced(client, namespace);
        let alarm = Alarm::install()?;
        Ok(Self { api, namespace: namespace.to_owned(), me, duration, fence, told, alarm })
    }

    /// Waits for the lease, works as long as this replica has it, and gives it back when the work has ended.
    ///
    /// # Errors
    /// Where the lease is lost. The process has to end then: whatever it remembers of its work, others have gone on with.
    pub(super) async fn lead(self, stop: &CancellationToken, work: impl Future<Output = ()>) -> Result<(), Failure> {
        let held = tokio::select! {
            held = self.win() => held,
            () = stop.cancelled() => return Ok(()),
        };
        let done = CancellationToken::new();
        // In a task of its own, so that no work can hold a renewal up.
        let mut keeping = tokio::spawn(self.keep(held, done.clone()));
        tokio::select! {
            () = work => {
                done.cancel();
                keeping.await?
            }
            lost = &mut keeping => lost?,
        }
    }

    /// Looks until the lease can be had, and takes it.
    async fn win(&self) -> Lease {
        let mut candidate = Candidate::new(self.me.clone());
        let pause = LOOK.min(self.duration.renewal());
        loop {
            match self.attempt(&mut candidate).await {
                Ok(Some(lease)) => {
                    self.told.set(Standing::Leads);
                    tracing::info!(lease = %self, me = self.me, "this replica leads");
                    return lease;
                }
                Ok(None) => {}
                Err(error) => self.complain(&error),
            }
            tokio::time::sleep(pause).await;
        }
    }

    /// One look at the lease; where it is free, it is taken.
    async fn attempt(&self, candidate: &mut Candidate) -> Result<Option<Lease>, Failure> {
        let found = self.within(self.api.get_opt(NAME)).await?;
        if let Verdict::Held { by } = candidate.judge(found.as_ref(), Instant::now()) {
            if self.told.set(Standing::Waits { leader: by.clone() }) {
                tracing::info!(lease = %self, leader = by, "another replica leads; waiting for the lease");
            }
            return Ok(None);
        }
        let asked = Moment::now();
        let exists = found.is_some();
        let lease = record::taken(found, NAME, &self.me, self.duration.0, asked.wall);
        let parameters = PostParams::default();
        let taken = if exists {
            self.within(self.api.replace(NAME, &parameters, &lease)).await
        } else {
            self.within(self.api.create(&parameters, &lease)).await
        };
        match taken {
            Ok(lease) => Ok(self.extend(asked).then_some(lease)),
            Err(Refusal::Conflict) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    /// Renews the lease until it is lost, or until there is nothing left to do for its holder.
    async fn keep(self, mut lease: Lease, done: CancellationToken) -> Result<(), Failure> {
        loop {
            tokio::select! {
                () = done.cancelled() => {
                    // Where work was cut short, what is left of it may still run.
                    self.fence.end();
                    self.alarm.off();
                    self.release(lease).await;
                    return Ok(());
                }
                () = tokio::time::sleep(self.duration.renewal()) => {}
            }
            lease = match self.renew(lease).await {
                Ok(lease) => lease,
                Err(lost) => {
                    self.fence.end();
                    self.told.set(Standing::Unknown(format!("the lease is lost: {lost}")));
                    // There is nothing more to do for its holder, who ends anyway.
                    if done.is_cancelled() {
                        return Ok(());
                    }
                    return Err(format!("the lease {self} is lost, and with it the right to write: {lost}").into());
                }
            };
        }
    }

    async fn renew(&self, lease: Lease) -> Result<Lease, Lost> {
        let asked = Moment::now();
        // A process that was stopped comes by here, too: it must not renew what others may have waited out.
        if !self.fence.may_write() {
            return Err(Lost::NotRenewed);
        }
        let wanted = record::renewed(lease.clone(), asked.wall);
        let renewed = match self.within(self.api.replace(NAME, &PostParams::default(), &wanted)).await {
            Err(Refusal::Conflict) => self.within(self.api.get_opt(NAME)).await.map(Err),
            other => other.map(Ok),
        };
        match renewed {
            Ok(Ok(renewed)) if self.extend(asked) => Ok(renewed),
            Ok(Ok(_)) => Err(Lost::NotRenewed),
            // Somebody labelled it, or an answer to a renewal was lost: the next attempt is by this version.
            Ok(Err(Some(found))) if record::holder(&found) == Some(&self.me) => Ok(found),
            Ok(Err(Some(found))) => {
                Err(Lost::Taken(record::holder(&found).unwrap_or("nobody, but somebody else").to_owned()))
            }
            Ok(Err(None)) | Err(Refusal::Gone) => Err(Lost::Deleted),
            Err(error) => {
                tracing::warn!(lease = %self, %error, "the lease was not renewed; trying again");
                Ok(lease)
            }
        }
    }

    /// A courtesy to the others, who need not wait then.
    async fn release(&self, lease: Lease) {
        let released = record::released(lease, Moment::now().wall);
        let (parameters, limit) = (PostParams::default(), RELEASE);
        match tokio::time::timeout(limit, self.api.replace(NAME, &parameters, &released)).await {
            Ok(Ok(_)) => tracing::info!(lease = %self, "gave the lease back"),
            Ok(Err(error)) => tracing::warn!(lease = %self, %error, "the lease was not given back; it runs out"),
            Err(_) => tracing::warn!(lease = %self, "the lease was not given back within {limit:?}; it runs out"),
        }
    }

    /// Opens the fence, or keeps it open, by a lease that was asked for then. False where that comes too late.
    fn extend(&self, asked: Moment) -> bool {
        // First: who is stopped between the two is not left without an alarm.
        self.alarm.set(self.duration.running().saturating_sub(Moment::now().since(asked)));
        let given = self.fence.give(Term { from: asked, lasts: self.duration.writing() });
        if !given {
            self.alarm.off();
        }
        given
    }

    /// The API client alone would go on trying for longer than any lease lasts.
    async fn within<T>(&self, call: impl Future<Output = kube::Result<T>>) -> Result<T, Refusal> {
        match tokio::time::timeout(self.duration.renewal(), call).await {
            Ok(Ok(answer)) => Ok(answer),
            Ok(Err(kube::Error::Api(status))) if status.is_conflict() || status.is_already_exists() => {
                Err(Refusal::Conflict)
            }
            Ok(Err(kube::Error::Api(status))) if status.is_not_found() => Err(Refusal::Gone),
            Ok(Err(error)) => Err(Refusal::Other(Box::new(error))),
            Err(_) => Err(Refusal::Late(self.duration.renewal())),
        }
    }

    fn complain(&self, error: &Failure) {
        let why = format!("the lease {self} cannot be read or taken, is the RBAC of the chart installed? {error}");
        match self.told.standing() {
            // Who has seen it before goes on waiting.
            Standing::Waits { .. } => tracing::warn!("{why}"),
            _ => {
                if self.told.set(Standing::Unknown(why.clone())) {
                    tracing::error!("{why}");
                }
            }
        }
    }
}

impl fmt::Display for Election {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{NAME}", self.namespace)
    }
}

/// Why a call about the lease did not do what it should.
#[derive(Debug, thiserror::Error)]
enum Refusal {
    #[error("somebody else was quicker")]
    Conflict,
    #[error("it, or its namespace, is not there")]
    Gone,
    #[error("no answer within {0:?}")]
    Late(Duration),
    #[error(transparent)]
    Other(Box<kube::Error>),
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lease_lasts_whole_seconds() {
        assert_eq!(LeaseDuration::new(Duration::from_secs(15)), Some(LeaseDuration(15)));
        for none in [Duration::ZERO, Duration::from_millis(1500), Duration::from_secs(3601), Duration::MAX] {
            assert_eq!(LeaseDuration::new(none), None, "{none:?}");
        }
    }

    #[test]
    fn there_is_time_for_several_renewals_before_writing_ends_and_for_what_is_on_its_way_after_that() {
        for seconds in [1, 15, LONGEST] {
            let (duration, whole) = (LeaseDuration(seconds), Duration::from_secs(seconds.into()));
            assert!(duration.renewal() * 2 * 2 <= duration.writing());
            assert!(duration.writing() <= whole.mul_f64(0.75));
            assert!(duration.writing() < duration.running() && duration.running() < whole);
        }
    }
}
