//! Registering resource providers: what a subscription needs once before anything of a provider's can be made in it (ARM
//! reference, section 10).

use std::collections::HashMap;
use std::time::{Duration, Instant};

use tokio::sync::Mutex;

use super::error::Unregistered;
use super::{ArmError, Client};

/// How long Azure is given before it is asked for the same again.
const TAKES: Duration = Duration::from_mins(5);
/// How long a refusal speaks for everybody.
const REFUSED_FOR: Duration = Duration::from_mins(1);

/// How a registration stands.
#[derive(Clone, Debug)]
pub enum Registration {
    /// The operator does not register anything.
    Off,
    /// Azure has just been asked.
    Begun,
    /// Azure was asked some time ago.
    Underway,
    /// Azure refused, now or a moment ago.
    Refused(ArmError),
}

/// Registers resource providers, each once for everybody.
#[derive(Debug)]
pub struct Providers {
    enabled: bool,
    asked: Mutex<HashMap<Unregistered, Asked>>,
}

#[derive(Debug)]
struct Asked {
    at: Instant,
    refused: Option<ArmError>,
}

impl Providers {
    /// Registers nothing unless `enabled`.
    #[must_use]
    pub fn new(enabled: bool) -> Self {
        Self { enabled, asked: Mutex::default() }
    }

    /// Asks Azure to register a provider, unless it was asked a while ago. One is asked for at a time.
    pub async fn register(&self, client: &Client, provider: &Unregistered) -> Registration {
        if !self.enabled {
            return Registration::Off;
        }
        let mut asked = self.asked.lock().await;
        match asked.get(provider) {
            Some(Asked { at, refused: Some(error) }) if at.elapsed() < REFUSED_FOR => {
                return Registration::Refused(error.clone());
            }
            Some(Asked { at, refused: None }) if at.elapsed() < TAKES => return Registration::Underway,
            _ => {}
        }
        let refused = client.register_provider(&provider.subscription, &provider.namespace).await.err();
        asked.insert(provider.clone(), Asked { at: Instant::now(), refused: refused.clone() });
        refused.map_or(Registration::Begun, Registration::Refused)
    }
}
