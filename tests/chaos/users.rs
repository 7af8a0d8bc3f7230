//! What the users do, at random.

use std::collections::BTreeMap;
use std::fmt::Debug;
use std::time::{Duration, Instant};

use fastrand::Rng;
use k8s_openapi::api::core::v1::Secret;
use kube::api::{DeleteParams, DynamicObject, Patch, PatchParams};
use kube::{Api, Client, Error};
use serde_json::json;

use crate::NAMESPACE;
use crate::wishes::{Kind, State, Wishes, key};

/// How long the API server may be away.
const PATIENCE: Duration = Duration::from_mins(2);

pub struct Users {
    client: Client,
    rng: Rng,
    wishes: Wishes,
    version: u32,
    /// What was done how often.
    pub done: BTreeMap<&'static str, usize>,
}

impl Users {
    pub fn new(client: Client, seed: u64) -> Self {
        Self { client, rng: Rng::with_seed(seed), wishes: Wishes::new(), version: 0, done: BTreeMap::new() }
    }

    pub fn wishes(&self) -> &Wishes {
        &self.wishes
    }

    /// Does one thing after the other.
    pub async fn act_until(&mut self, ends: Instant) {
        while Instant::now() < ends {
            let place = self.rng.usize(..self.wishes.len());
            if let Some(what) = self.act(place).await {
                *self.done.entry(what).or_default() += 1;
            }
            tokio::time::sleep(Duration::from_millis(self.rng.u64(20..250))).await;
        }
        for place in 0..self.wishes.len() {
            if self.wishes.at(place).state == State::Leaving && self.is_gone(place).await {
                self.wishes.set(place, State::Absent);
            }
        }
    }

    async fn act(&mut self, place: usize) -> Option<&'static str> {
        self.version += 1;
        let version = self.version;
        let wish = self.wishes.at(place);
        match wish.state {
            State::Leaving => {
                if self.is_gone(place).await {
                    self.wishes.set(place, State::Absent);
                }
                None
            }
            State::Absent if self.wishes.parent(wish).is_none_or(super::wishes::Wish::is_there) => {
                self.wishes.set(place, State::There { spec: version, key: version });
                self.give_key(place).await;
                self.apply(place).await;
                Some("created")
            }
            State::Absent => None,
            State::There { spec, .. } if wish.kind == Kind::Connection && self.rng.u8(..4) == 0 => {
                self.wishes.set(place, State::There { spec, key: version });
                self.give_key(place).await;
                Some("rotated")
            }
            State::There { .. } if self.rng.u8(..wish.kind.lasts()) == 0 => {
                self.delete(place).await;
                Some("deleted")
            }
            State::There { key, .. } => {
                self.wishes.set(place, State::There { spec: version, key });
                self.apply(place).await;
                Some("changed")
            }
        }
    }

    async fn apply(&self, place: usize) {
        let wish = self.wishes.at(place);
        let (api, object) = (self.api(wish.kind), self.wishes.object(wish).unwrap());
        let (parameters, patch) = (PatchParams::apply("users"), Patch::Apply(&object));
        persistently(async || api.patch(&wish.name, &parameters, &patch).await.map(Some)).await;
    }

    async fn give_key(&self, place: usize) {
        let wish = self.wishes.at(place);
        let State::There { key: version, .. } = wish.state else { return };
        if wish.kind == Kind::Connection {
            let api: Api<Secret> = Api::namespaced(self.client.clone(), NAMESPACE);
            let secret = json!({
                "apiVersion": "v1", "kind": "Secret", "metadata": {"name": wish.name},
                "stringData": {"key": key(version)},
            });
            let (parameters, patch) = (PatchParams::apply("users").force(), Patch::Apply(&secret));
            persistently(async || api.patch(&wish.name, &parameters, &patch).await.map(Some)).await;
        }
    }

    /// Deletes it, first of all, and then what belongs to it.
    async fn delete(&mut self, place: usize) {
        for place in std::iter::once(place).chain(self.wishes.below(place)) {
            let wish = self.wishes.at(place);
            if !wish.is_there() {
                continue;
            }
            let api = self.api(wish.kind);
            persistently(async || match api.delete(&wish.name, &DeleteParams::default()).await {
                Err(Error::Api(status)) if status.is_not_found() => Ok(None),
                other => other.map(Some),
            })
            .await;
            self.wishes.set(place, State::Leaving);
        }
    }

    async fn is_gone(&self, place: usize) -> bool {
        let wish = self.wishes.at(place);
        let api = self.api(wish.kind);
        persistently(async || api.get_opt(&wish.name).await).await.is_none()
    }

    fn api(&self, kind: Kind) -> Api<DynamicObject> {
        Api::namespaced_with(self.client.clone(), NAMESPACE, &kind.resource())
    }
}

/// Until the API server answers. What it refuses is a mistake of this test.
pub async fn persistently<T: Debug>(mut call: impl AsyncFnMut() -> Result<Option<T>, Error>) -> Option<T> {
    let begun = Instant::now();
    loop {
        match call().await {
            Ok(answer) => return answer,
            Err(Error::Api(status)) if (400..429).contains(&status.code) => {
                assert!(status.code == 409, "the API server refuses: {status}");
            }
            Err(error) => assert!(begun.elapsed() < PATIENCE, "the API server does not answer: {error}"),
        }
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
}
