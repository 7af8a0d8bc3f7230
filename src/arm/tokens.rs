//! Tokens for ARM: one credential for everybody, made anew when ARM refuses what it gave, and not asked again and again
//! while sign-in fails.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use azure_core::credentials::TokenCredential;
use reqwest::header::HeaderValue;

use super::ArmError;

/// How long a failed sign-in speaks for everybody: a thousand objects do not ask a thousand times.
const REMEMBERED: Duration = Duration::from_secs(3);

/// What makes a credential.
pub type Make = Box<dyn Fn() -> azure_core::Result<Arc<dyn TokenCredential>> + Send + Sync>;

/// Tokens of one identity for one audience.
pub struct Tokens {
    make: Make,
    scope: String,
    current: Mutex<Arc<dyn TokenCredential>>,
    failed: Mutex<Option<(Instant, ArmError)>>,
}

/// A token as a call carries it, and where it came from.
pub struct Bearer {
    /// The `Authorization` header; it is never printed.
    pub header: HeaderValue,
    credential: Arc<dyn TokenCredential>,
}

impl Tokens {
    /// `audience` is what the tokens are for.
    ///
    /// # Errors
    /// Where the credential lacks something, such as its token file.
    pub fn new(make: Make, audience: &str) -> azure_core::Result<Self> {
        let current = Mutex::new(make()?);
        let scope = format!("{}/.default", audience.trim_end_matches('/'));
        Ok(Self { make, scope, current, failed: Mutex::new(None) })
    }

    /// A token that is valid, as far as is known here.
    ///
    /// # Errors
    /// [`ArmError`] where sign-in fails, or failed a moment ago.
    pub async fn bearer(&self) -> Result<Bearer, ArmError> {
        if let Some((at, error)) = &*self.failed.lock().unwrap_or_else(PoisonError::into_inner)
            && at.elapsed() < REMEMBERED
        {
            return Err(error.clone());
        }
        let credential = self.current.lock().unwrap_or_else(PoisonError::into_inner).clone();
        match credential.get_token(&[&self.scope], None).await {
            Ok(token) => {
                let mut header = HeaderValue::try_from(format!("Bearer {}", token.token.secret()))
                    .map_err(|_| ArmError::sign_in("a token that no header can hold"))?;
                header.set_sensitive(true);
                Ok(Bearer { header, credential })
            }
            Err(error) => {
                let error = ArmError::sign_in(super::client::chain(&error));
                *self.failed.lock().unwrap_or_else(PoisonError::into_inner) = Some((Instant::now(), error.clone()));
                Err(error)
            }
        }
    }

    /// Forgets the credential whose token ARM refused, and with it what it remembers; true where another try makes sense.
    /// Of many calls that were refused at once, the first does it for all.
    pub fn renew(&self, refused: &Bearer) -> bool {
        let mut current = self.current.lock().unwrap_or_else(PoisonError::into_inner);
        if !Arc::ptr_eq(&current, &refused.credential) {
            return true;
        }
        match (self.make)() {
            Ok(fresh) => {
                *current = fresh;
                true
            }
            Err(error) => {
                tracing::warn!(%error, "no new credential could be made after ARM refused a token");
                false
            }
        }
    }
}
