//! Tokens for ARM: one sign-in for everybody, made anew when ARM refuses what it gave, and not tried again and again while it
//! fails.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant, SystemTime};

use azure_core::credentials::{AccessToken, TokenCredential};
use azure_core::error::ErrorKind;
use reqwest::header::HeaderValue;
use tokio::sync::Mutex;

use super::ArmError;
use super::credential::{self, Cloud, SignIn};
use super::metrics::{ArmMetrics, SignInOutcome};
use super::transport::Transport;

/// How long a failed sign-in speaks for everybody: a thousand objects do not ask a thousand times.
const REMEMBERED: Duration = Duration::from_secs(3);
/// The same as long as there is a token that lasts: nobody is in a hurry.
const REMEMBERED_AT_EASE: Duration = Duration::from_secs(30);
/// How long a sign-in may take as long as there is a token that lasts.
const LIMIT_AT_EASE: Duration = Duration::from_secs(2);
/// How often at most a token is given up that ARM has never taken: what it refuses may be the caller, and not the token.
const GIVEN_UP_EVERY: Duration = Duration::from_mins(1);
/// Longest time that one sign-in may take. A machine without an identity does not answer at all.
const LIMIT: Duration = Duration::from_secs(20);
/// How long before its end a token is renewed.
const RENEWED_BEFORE: Duration = Duration::from_mins(5);
/// How long before its end a token is used at most, where it cannot be renewed, so that it does not end on the way.
const USED_BEFORE: Duration = Duration::from_secs(30);

/// Tokens of one identity for one audience.
pub struct Tokens {
    sign_in: SignIn,
    cloud: Cloud,
    transport: Arc<Transport>,
    scope: String,
    metrics: ArmMetrics,
    /// The number of the last token that ARM has taken.
    taken: AtomicU64,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    credential: Option<Arc<dyn TokenCredential>>,
    held: Option<Held>,
    failed: Option<(Instant, ArmError)>,
    /// When a token was last given up because ARM refused it.
    given_up: Option<Instant>,
    given: u64,
}

struct Held {
    bearer: Bearer,
    ends: SystemTime,
}

impl State {
    /// The token, if it does not end within `reserve`.
    fn good_for(&self, reserve: Duration) -> Option<Bearer> {
        let held = self.held.as_ref()?;
        (held.ends > SystemTime::now() + reserve).then(|| held.bearer.clone())
    }
}

/// A token as a call carries it.
#[derive(Clone)]
pub struct Bearer {
    /// The `Authorization` header; it is never printed.
    pub header: HeaderValue,
    /// Which of the tokens given so far it is.
    number: u64,
}

impl Tokens {
    /// Nothing is asked for yet.
    #[must_use]
    pub fn new(sign_in: SignIn, cloud: Cloud, transport: Arc<Transport>, metrics: ArmMetrics) -> Self {
        let scope = format!("{}/.default", cloud.arm_audience.trim_end_matches('/'));
        Self { sign_in, cloud, transport, scope, metrics, taken: AtomicU64::default(), state: Mutex::default() }
    }

    /// A token that is valid, as far as is known here. Who comes while it is being asked for waits for the same. As long as
    /// the last one lasts, a sign-in that fails holds nobody up.
    ///
    /// # Errors
    /// [`ArmError`] where sign-in fails, or failed a moment ago.
    pub async fn bearer(&self) -> Result<Bearer, ArmError> {
        let mut state = self.state.lock().await;
        if let Some(bearer) = state.good_for(RENEWED_BEFORE) {
            return Ok(bearer);
        }
        let at_ease = state.good_for(USED_BEFORE).is_some();
        let (limit, remembered) = if at_ease { (LIMIT_AT_EASE, REMEMBERED_AT_EASE) } else { (LIMIT, REMEMBERED) };
        if let Some((at, error)) = &state.failed
            && at.elapsed() < remembered
        {
            return state.good_for(USED_BEFORE).ok_or_else(|| error.clone());
        }
        match self.ask(&mut state.credential, limit).await {
            Ok((header, ends)) => {
                self.metrics.sign_in(self.sign_in.name(), SignInOutcome::Ok);
                state.given += 1;
                let bearer = Bearer { header, number: state.given };
                state.held = Some(Held { bearer: bearer.clone(), ends });
                state.failed = None;
                Ok(bearer)
            }
            Err((outcome, error)) => {
                self.metrics.sign_in(self.sign_in.name(), outcome);
                tracing::debug!(%error, "sign-in failed");
                // What it read when it was made, a token file or an authority, may be what was wrong.
                state.credential = None;
                if outcome == SignInOutcome::Unreachable {
                    self.transport.doubt();
                }
                state.failed = Some((Instant::now(), error.clone()));
                state.good_for(USED_BEFORE).ok_or(error)
            }
        }
    }

    /// ARM has taken the token.
    pub fn is_good(&self, taken: &Bearer) {
        self.taken.fetch_max(taken.number, Ordering::Relaxed);
    }

    /// Gives up the token that ARM refused, and the credential with what it remembers; true where another try makes sense. Of
    /// many calls that were refused at once, the first does it for all. Until there is another token, the old one stays.
    pub async fn renew(&self, refused: &Bearer) -> bool {
        let mut state = self.state.lock().await;
        let never_taken = self.taken.load(Ordering::Relaxed) < refused.number;
        let recently = never_taken && state.given_up.is_some_and(|at| at.elapsed() < GIVEN_UP_EVERY);
        let Some(held) = state.held.as_mut().filter(|held| held.bearer.number == refused.number) else { return true };
        if recently {
            return false;
        }
        held.ends = held.ends.min(SystemTime::now() + RENEWED_BEFORE);
        state.given_up = Some(Instant::now());
        state.credential = None;
        true
    }

    async fn ask(
        &self,
        credential: &mut Option<Arc<dyn TokenCredential>>,
        limit: Duration,
    ) -> Result<(HeaderValue, SystemTime), (SignInOutcome, ArmError)> {
        let failed = |message: &str, outcome: SignInOutcome| {
            let reached = outcome != SignInOutcome::Unreachable;
            (outcome, ArmError::sign_in(&self.sign_in, &self.cloud, message, reached))
        };
        let credential = match credential {
            Some(credential) => credential,
            none => {
                let http = self.transport.client().map_err(|error| (SignInOutcome::Unreachable, error))?;
                let made = credential::credential(&self.sign_in, &self.cloud, http);
                none.insert(made.map_err(|error| failed(&super::client::chain(&error), SignInOutcome::Refused))?)
            }
        };
        let token = tokio::time::timeout(limit, credential.get_token(&[&self.scope], None)).await;
        let AccessToken { token, expires_on, .. } = match token {
            Ok(Ok(token)) => token,
            Ok(Err(error)) => return Err(failed(&super::client::chain(&error), outcome(&error))),
            Err(_) => return Err(failed(&format!("no answer within {limit:?}"), SignInOutcome::Unreachable)),
        };
        let mut header = HeaderValue::try_from(format!("Bearer {}", token.secret()))
            .map_err(|_| failed("a token that no header can hold", SignInOutcome::Refused))?;
        header.set_sensitive(true);
        Ok((header, SystemTime::from(expires_on)))
    }
}

/// Whether somebody answered. A program that was asked always answers.
fn outcome(error: &(dyn std::error::Error + 'static)) -> SignInOutcome {
    let unanswered = std::iter::successors(Some(error), |error| error.source())
        .filter_map(|error| error.downcast_ref::<azure_core::Error>())
        .any(|error| matches!(error.kind(), ErrorKind::Io | ErrorKind::Connection));
    if unanswered { SignInOutcome::Unreachable } else { SignInOutcome::Refused }
}
