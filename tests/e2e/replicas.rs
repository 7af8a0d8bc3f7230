//! Two operators for the same namespaces. Each has a ServiceAccount and an application in Azure of its own, so that the audit
//! log and the journal tell who wrote.

mod crew;

use std::time::Duration;

use arm_emulator::Timings;
use foundry_operator::api::{FoundryConnection, FoundryHub};
use serde_json::json;
use stage::Operator;

use self::crew::Crew;
use crate::harness::PATIENCE;

/// So long that nobody waits for its end: what happens within a test's patience happens without that.
const ENDLESS: &str = "3600s";
const SHORT: &str = "2s";
/// Long enough that a busy machine renews it in time.
const USUAL: &str = "10s";
/// What is written while a leader is stopped.
const CONNECTIONS: [&str; 3] = ["one", "two", "three"];

fn is_being_made(hub: &FoundryHub) -> bool {
    hub.status.as_ref().is_some_and(|status| status.engine.operation.is_some())
}

/// Replica `a` leads, and Azure is making the hub that it began; replica `b` waits.
async fn while_a_hub_is_made(lease_duration: &'static str) -> (Crew, Operator, Operator) {
    let crew = Crew::new(lease_duration).await;
    let a = crew.start("a");
    crew.until_leads("a").await;
    let b = crew.start("b");
    crew.scene.azure.set_timings(Timings::all(Duration::from_secs(4)));
    crew.scene.apply_hub("contoso").await;
    crew.scene.until(&crew.scene.platform, "contoso", "being made", is_being_made).await;
    (crew, a, b)
}

/// Whoever goes on with it, the hub becomes Ready by the one PUT that there was, and nobody writes who does not lead.
async fn until_made_once(crew: &Crew) {
    crew.scene.until_ready::<FoundryHub>(&crew.scene.platform, "contoso").await;
    assert_eq!(crew.scene.calls("PUT", "/workspaces/").len(), 1);
    assert_eq!(crew.strays(), [""; 0]);
}

#[tokio::test]
async fn a_replica_that_waits_is_ready_and_says_that_it_waits() {
    let crew = Crew::new(ENDLESS).await;
    let a = crew.start("a");
    crew.until_leads("a").await;
    let b = crew.start("b");
    crew.until_answers(&b, "/readyz", "ok: this replica waits, a_").await;
    crew.until_answers(&b, "/metrics", "foundry_leader 0").await;
    crew.until_answers(&a, "/metrics", "foundry_leader 1").await;
    crew.until_answers(&a, "/readyz", "ok\n").await;
    crew.scene.ready_hub("contoso").await;
    assert_eq!(crew.writers(), ["a"]);
}

#[tokio::test]
async fn a_replica_that_may_not_read_the_lease_is_not_ready_and_says_why() {
    let crew = Crew::new(ENDLESS).await;
    let elsewhere = crew.start_with("a", &[("POD_NAMESPACE", "default")]);
    crew.until_answers(&elsewhere, "/readyz", "not ready: the lease default/foundry-operator cannot be read").await;
    crew.scene.apply_hub("contoso").await;
    assert!(elsewhere.is_running());
    assert!(crew.writers().is_empty());
}

#[tokio::test]
async fn when_the_leader_is_killed_another_goes_on_where_it_was() {
    let (crew, a, _b) = while_a_hub_is_made(SHORT).await;
    a.kill().unwrap();
    until_made_once(&crew).await;
    assert_eq!(crew.leader(), Some("b"));
}

#[tokio::test]
async fn a_leader_that_is_told_to_stop_hands_over_at_once() {
    let (crew, a, _b) = while_a_hub_is_made(ENDLESS).await;
    a.terminate(Duration::from_secs(15)).unwrap();
    crew.until_leads("b").await;
    until_made_once(&crew).await;
}

#[tokio::test]
async fn a_leader_whose_lease_is_deleted_ends_and_another_goes_on() {
    let crew = Crew::new(USUAL).await;
    let a = crew.start("a");
    crew.until_leads("a").await;
    let b = crew.start("b");
    crew.until_answers(&b, "/readyz", "waits").await;
    crew.delete_lease().await;
    crew.until_ended(&a).await;
    assert!(crew.scene.log_of("a").contains("somebody deleted it"), "{}", crew.scene.log_of("a"));
    crew.until_leads("b").await;
}

/// The leader is stopped for longer than its lease, again and again, in the middle of its work. `FOUNDRY_ROUNDS` says how
/// often; `make test-replicas` has it a hundred times.
#[tokio::test]
async fn a_leader_that_was_stopped_for_longer_than_its_lease_writes_nothing_after_it() {
    let rounds: u32 = std::env::var("FOUNDRY_ROUNDS").map_or(8, |rounds| rounds.parse().unwrap());
    let crew = Crew::new(SHORT).await;
    let mut replicas = [("a", crew.start("a")), ("b", crew.start("b"))];
    crew.scene.ready_hub("contoso").await;
    let spec = |target: &str| json!({"hubRef": {"name": "contoso"}, "category": "AIServices", "target": target, "authType": "AAD"});
    let platform = crew.scene.platform.clone();
    for name in CONNECTIONS {
        crew.scene.apply::<FoundryConnection>(&platform, name, spec("https://first")).await;
    }
    let (mut stopped, mut tries) = (0, 0);
    while stopped < rounds {
        tries += 1;
        assert!(tries < 3 * rounds, "{stopped} of {tries} rounds came to their end");
        for (name, replica) in &mut replicas {
            if !replica.is_running() {
                *replica = crew.start(name);
            }
        }
        let leader = crew.until_somebody_leads().await;
        let of = replicas.iter().position(|(name, _)| *name == leader).unwrap();
        let change = async {
            // There is always something to write, but not so much that it all conflicts.
            for count in 0.. {
                let name = CONNECTIONS[count % CONNECTIONS.len()];
                let target = json!({"target": format!("https://round-{tries}-{count}")});
                crew.scene.change::<FoundryConnection>(&platform, name, target).await;
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        };
        tokio::select! {
            () = change => {}
            done = tokio::time::timeout(PATIENCE, stop(&crew, &replicas[of], &replicas[1 - of])) => {
                stopped += u32::from(done.unwrap());
            }
        }
    }
    for name in CONNECTIONS {
        crew.scene.change::<FoundryConnection>(&platform, name, json!({"target": "https://last"})).await;
        crew.scene.until_ready::<FoundryConnection>(&platform, name).await;
    }
    assert_eq!(crew.strays(), [""; 0]);
    assert_eq!(crew.writers(), ["a", "b"]);
    assert!(crew.terms() > rounds as usize, "{} terms in {rounds} rounds", crew.terms());
}

/// Stops the leader in the middle of its work, until the other one works, and lets it go on. False where one of them had
/// ended by itself before: a machine can be too busy to renew so short a lease in time.
async fn stop(crew: &Crew, leader: &(&str, Operator), other: &(&str, Operator)) -> bool {
    if !crew.writes_or_ends(leader).await {
        return false;
    }
    tokio::time::sleep(Duration::from_millis(fastrand::u64(0..200))).await;
    if leader.1.pause().is_err() {
        return false;
    }
    let other_works = crew.leads_or_ends(other).await && crew.writes_or_ends(other).await;
    leader.1.resume().unwrap();
    if other_works {
        crew.until_ended(&leader.1).await;
    }
    other_works
}
