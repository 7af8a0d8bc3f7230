//! Each step of each life with each disturbance: a crash at each boundary, and old events.

use std::collections::{BTreeMap, VecDeque};
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use futures::future::join_all;

use crate::border::{Call, Disturbance, Moment, Side, boundaries};
use crate::compare::differences;
use crate::ground::{End, Ground, Taken};
use crate::life::{Step, Subject};
use crate::report::{self, Outcome};

/// How often a case is tried that was not disturbed, because a step made fewer calls than usual.
const TRIES: usize = 3;

/// A step of a life without a crash.
struct Usual {
    step: Step,
    end: End,
    writes: BTreeMap<String, usize>,
}

/// A life, and the cases of each of its steps that have not run yet.
struct Life {
    subject: Subject,
    usual: Vec<Usual>,
    pending: Mutex<Vec<VecDeque<Case>>>,
    /// How many cases do not run, because another one leaves the world as they do.
    left_out: usize,
}

struct Case {
    disturbance: Disturbance,
    /// A connection's PUT took effect, and nothing remembers it: it may be repeated.
    forgotten: bool,
    tries: usize,
}

struct Run {
    lives: Vec<Life>,
    outcomes: Mutex<Vec<Outcome>>,
}

/// A name that no other object has, and that is part of no other one.
fn new_name() -> String {
    static LAST: AtomicUsize = AtomicUsize::new(0);
    format!("case-{:04}-x", LAST.fetch_add(1, Ordering::Relaxed))
}

/// Runs every case whose name contains `filter`. As many operators live and die at once as there are lives.
pub async fn run(filter: &str) -> Vec<Outcome> {
    let all = Subject::ALL.iter().flat_map(|subject| subject.lives().map(|steps| (*subject, steps)));
    let begun = all.map(|(subject, steps)| {
        tokio::spawn(async move {
            let mut ground = Ground::new().await;
            let lived = undisturbed(&mut ground, subject, steps).await;
            (ground, lived)
        })
    });
    let begun: Vec<_> = begun.collect();
    let (mut grounds, mut lives, mut outcomes) = (Vec::new(), Vec::new(), Vec::new());
    for begun in join_all(begun).await {
        let (ground, undisturbed) = begun.unwrap();
        grounds.push(ground);
        match undisturbed {
            Ok((subject, steps)) => {
                let made = steps.iter().find(|(step, _)| *step == Step::Create);
                lives.extend(made.map(|(_, made)| life(subject, vec![(Step::Abandon, abandoned(made))], filter)));
                lives.push(life(subject, steps, filter));
            }
            Err(failed) => outcomes.push(failed),
        }
    }
    let left_out: usize = lives.iter().map(|life| life.left_out).sum();
    if left_out > 0 {
        println!("LEFT OUT: {left_out} boundaries after a read, which has changed nothing; CRASHES=all takes them too");
    }
    let run = Arc::new(Run { lives, outcomes: Mutex::new(outcomes) });
    let workers = grounds.into_iter().enumerate().map(|(number, ground)| {
        let run = Arc::clone(&run);
        tokio::spawn(async move { run.work(number, ground).await })
    });
    for worker in join_all(workers.collect::<Vec<_>>()).await {
        worker.unwrap();
    }
    std::mem::take(&mut *run.outcomes.lock().unwrap())
}

/// Lives a life without a crash.
async fn undisturbed(
    ground: &mut Ground,
    subject: Subject,
    steps: &[Step],
) -> Result<(Subject, Vec<(Step, Taken)>), Outcome> {
    let name = new_name();
    let mut lived = Vec::new();
    for step in steps {
        let taken = ground.take(subject, &name, *step, None).await;
        match taken.and_then(|taken| if makes_sense(*step, &taken) { Ok(taken) } else { Err(format!("{taken:#?}")) }) {
            Ok(taken) => lived.push((*step, taken)),
            Err(why) => return Err(Outcome::new(subject, *step, None, Some(why))),
        }
    }
    ground.clear(subject, &name).await;
    Ok((subject, lived))
}

/// Whether the end that all others are compared with is one.
fn makes_sense(step: Step, taken: &Taken) -> bool {
    let there = !taken.end.in_azure.is_empty();
    there == (step != Step::Delete) && !taken.writes.is_empty() && taken.end.status.is_null() == step.ends_the_object()
}

/// What is left of an object that was made, and deleted before the operator was there again.
fn abandoned(made: &Taken) -> Taken {
    Taken { end: End::default(), ..made.clone() }
}

/// Whether boundaries are taken too that leave the world as another one does.
pub fn everything() -> bool {
    std::env::var_os("CRASHES").is_some_and(|crashes| crashes == "all")
}

fn life(subject: Subject, steps: Vec<(Step, Taken)>, filter: &str) -> Life {
    let (mut usual, mut pending, mut left_out) = (Vec::new(), Vec::new(), 0);
    for (step, taken) in steps {
        let mut cases = cases(step, &taken);
        cases.retain(|case| report::name(subject, step, Some(&case.disturbance)).contains(filter));
        let all = cases.len();
        cases.retain(|case| everything() || !case.disturbance.is_after_a_read());
        left_out += all - cases.len();
        pending.push(cases);
        usual.push(Usual { step, end: taken.end, writes: taken.writes });
    }
    Life { subject, usual, pending: Mutex::new(pending), left_out }
}

fn cases(step: Step, taken: &Taken) -> VecDeque<Case> {
    let calls = &taken.calls;
    let crashes = boundaries(calls).into_iter().enumerate().flat_map(|(place, boundary)| {
        // Each call has two boundaries.
        let effective = &calls[..place / 2 + usize::from(boundary.moment == Moment::After)];
        let forgotten = is_forgotten(effective);
        // What a list may be behind of is what was done last.
        let behind = boundary.moment == Moment::After && boundary.call.side == Side::Azure && boundary.call.writes();
        let old_list = behind.then(|| (Disturbance::OldList(boundary.clone()), forgotten));
        std::iter::once((Disturbance::Crash(boundary), forgotten)).chain(old_list)
    });
    let looks = calls.iter().any(|call| call.method == "GET" && call.path.starts_with("foundry"));
    let was_there = matches!(step, Step::Update | Step::Rotate | Step::Delete | Step::Orphan);
    let old_object = (looks && was_there).then_some(Disturbance::OldReads(Side::Kubernetes));
    let old_resource = taken.could_read_old.then_some(Disturbance::OldReads(Side::Azure));
    let old = [old_object, old_resource, Some(Disturbance::OldEvents)].into_iter().flatten();
    let old = old.filter(|_| step != Step::Abandon).map(|old| (old, false));
    crashes.chain(old).map(|(disturbance, forgotten)| Case { disturbance, forgotten, tries: 0 }).collect()
}

/// Whether the last of these calls that wrote anything was the PUT of a connection, which no operation tells of.
fn is_forgotten(calls: &[Call]) -> bool {
    calls
        .iter()
        .rev()
        .find(|call| call.writes())
        .is_some_and(|call| call.side == Side::Azure && call.method == "PUT" && call.path.starts_with("connections/"))
}

impl Run {
    async fn work(&self, number: usize, mut ground: Ground) {
        let mut failed = false;
        while let Some((life, cases)) = self.next() {
            failed |= !self.live(&mut ground, life, cases).await;
        }
        if failed {
            let log = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("crashes-{number}.log"));
            std::fs::write(&log, ground.scene.log()).unwrap();
            println!("the log of an operator with a failed case: {}", log.display());
        }
    }

    /// One case of each step of the life of which most is left.
    fn next(&self) -> Option<(&Life, Vec<Option<Case>>)> {
        let left = |life: &&Life| life.pending.lock().unwrap().iter().map(VecDeque::len).max().unwrap_or_default();
        let life = self.lives.iter().max_by_key(left).filter(|life| left(life) > 0)?;
        let cases = life.pending.lock().unwrap().iter_mut().map(VecDeque::pop_front).collect();
        Some((life, cases))
    }

    /// One object from its making to its end, with a crash in each step; true where all went well.
    async fn live(&self, ground: &mut Ground, life: &Life, mut cases: Vec<Option<Case>>) -> bool {
        let (name, subject) = (new_name(), life.subject);
        let mut well = true;
        while cases.last().is_some_and(Option::is_none) {
            cases.pop();
        }
        for (place, (usual, case)) in life.usual.iter().zip(cases).enumerate() {
            let Some(mut case) = case else {
                well = well && ground.take(subject, &name, usual.step, None).await.is_ok();
                continue;
            };
            if !well {
                // What went before took the object's life, and is told of.
                life.pending.lock().unwrap()[place].push_front(case);
                continue;
            }
            case.tries += 1;
            let taken = ground.take(subject, &name, usual.step, Some(&case.disturbance)).await;
            let failed = match taken {
                Ok(taken) if taken.disturbed => wrong(usual, &case, &taken),
                Ok(taken) if case.tries < TRIES => {
                    well = taken.end == usual.end;
                    life.pending.lock().unwrap()[place].push_back(case);
                    continue;
                }
                Ok(_) => Some("it did not meet what was to disturb it".to_owned()),
                Err(why) => Some(why),
            };
            well = failed.is_none();
            let failed = failed.map(|why| format!("{why}\n{}\n(object {name})", ground.story()));
            let outcome = Outcome::new(subject, usual.step, Some(case.disturbance), failed);
            self.outcomes.lock().unwrap().push(outcome);
        }
        ground.clear(subject, &name).await;
        well
    }
}

/// What is not as it is without a crash.
fn wrong(usual: &Usual, case: &Case, taken: &Taken) -> Option<String> {
    let differences = differences(&taken.end.as_json(), &usual.end.as_json(), "");
    if !differences.is_empty() {
        return Some(format!("it does not end as usual: {}", differences.join("; ")));
    }
    let most = |call: &str| {
        let again = case.forgotten && call.starts_with("PUT connections/");
        usual.writes.get(call).copied().unwrap_or_default() + usize::from(again)
    };
    let abandoned = usual.step == Step::Abandon;
    // What seems to be there still is deleted once more.
    let seems_there = matches!(case.disturbance, Disturbance::OldReads(Side::Azure));
    // What was abandoned is not made whole first, and is deleted.
    let missing = usual.writes.iter().any(|(call, least)| !abandoned && taken.writes.get(call) < Some(least));
    let surplus = |(call, count): (&String, &usize)| {
        *count > most(call) && !((abandoned || seems_there) && call.starts_with("DELETE "))
    };
    (missing || taken.writes.iter().any(surplus))
        .then(|| format!("{:?} took effect, and as usual are {:?}", taken.writes, usual.writes))
}
