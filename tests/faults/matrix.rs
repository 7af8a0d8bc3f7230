//! Each fault at each call of each step, for one kind.

use std::collections::{BTreeSet, VecDeque};
use std::path::Path;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use arm_emulator::JournalEntry;
use futures::future::join_all;
use serde_json::Value;

use crate::call::{Call, calls, effective_puts, progress};
use crate::ground::{Ground, Taken};
use crate::history::{Seen, reasons};
use crate::report::Outcome;
use crate::subject::{Step, Subject};
use crate::trouble::{Effect, End, QUIET, Trouble, troubles};

/// How many objects go through their lives at once.
const IN_FLIGHT: usize = 14;
/// How often a case is tried whose fault was not met, because a step made fewer calls than usual.
const TRIES: usize = 3;

/// One step of an object whose life is undisturbed.
struct Usual {
    step: Step,
    calls: Vec<Call>,
    reasons: BTreeSet<String>,
    in_azure: Vec<Value>,
}

struct Case<'a> {
    name: String,
    usual: &'a Usual,
    call: &'a Call,
    trouble: &'a Trouble,
    effect: Effect,
    tries: usize,
}

/// Why a case did not pass.
enum Failed {
    /// The call that was meant was not made this time.
    Unmet(String),
    Wrong(String),
}

/// Runs every case of a subject whose name contains `filter`.
pub async fn run(subject: Subject, filter: &str) -> Vec<Outcome> {
    let troubles = troubles();
    let ground = Ground::new(subject).await;
    let mut usuals = Vec::new();
    for step in Step::ALL {
        match undisturbed(&ground, step).await {
            Ok(usual) => usuals.push(usual),
            Err(why) => return vec![outcome(subject, step, format!("{subject}, {step}, undisturbed"), Some(why))],
        }
    }
    let pending: Vec<Mutex<VecDeque<Case<'_>>>> =
        usuals.iter().map(|usual| Mutex::new(cases(subject, usual, &troubles, filter))).collect();
    let (numbers, outcomes) = (AtomicUsize::new(1), Mutex::new(Vec::new()));
    let lives = (0..IN_FLIGHT).map(|_| async {
        loop {
            let taken: Vec<Option<Case<'_>>> = pending.iter().map(|cases| cases.lock().unwrap().pop_front()).collect();
            if taken.iter().all(Option::is_none) {
                break;
            }
            let name = format!("case-{:04}-x", numbers.fetch_add(1, Ordering::Relaxed));
            live(&ground, &name, &usuals, taken, &pending, &outcomes).await;
        }
    });
    join_all(lives).await;
    let outcomes = outcomes.into_inner().unwrap();
    if outcomes.iter().any(Outcome::has_failed) {
        let name = format!("faults-{}.log", subject.to_string().replace(' ', "-"));
        let log = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
        std::fs::write(&log, ground.scene.log()).unwrap();
        println!("the operator's log of {subject}: {}", log.display());
    }
    outcomes
}

fn outcome(subject: Subject, step: Step, name: String, failed: Option<String>) -> Outcome {
    Outcome::new(format!("{subject}, {step}"), name, failed)
}

async fn undisturbed(ground: &Ground, step: Step) -> Result<Usual, String> {
    let name = "case-0000-x";
    let Taken { seen, calls: journal } = ground.take(name, step, &QUIET).await?;
    let calls = calls(&journal, &ground.id(name));
    Ok(Usual { step, calls, reasons: reasons(&seen), in_azure: ground.in_azure(name) })
}

fn cases<'a>(subject: Subject, usual: &'a Usual, troubles: &'a [Trouble], filter: &str) -> VecDeque<Case<'a>> {
    let mut cases = VecDeque::new();
    for call in &usual.calls {
        for trouble in troubles {
            let Some(effect) = trouble.effect(subject, usual.step, call) else { continue };
            let times = if trouble.times > 1 { format!(", {} times", trouble.times) } else { String::new() };
            let (place, method, kind) = (call.place + 1, &call.method, format!("{:?}", call.kind).to_lowercase());
            let name = format!("{subject}, {}, {kind} {place} ({method}): {}{times}", usual.step, trouble.name);
            if name.contains(filter) {
                cases.push_back(Case { name, usual, call, trouble, effect, tries: 0 });
            }
        }
    }
    cases
}

/// One object from its making to its end, which meets a fault in each step.
async fn live<'a>(
    ground: &Ground,
    name: &str,
    usuals: &[Usual],
    taken: Vec<Option<Case<'a>>>,
    pending: &[Mutex<VecDeque<Case<'a>>>],
    outcomes: &Mutex<Vec<Outcome>>,
) {
    let mut alive = true;
    for ((usual, case), pending) in usuals.iter().zip(taken).zip(pending) {
        let Some(mut case) = case else {
            alive = alive && undisturbed_step(ground, name, usual.step).await;
            continue;
        };
        if !alive {
            // What went before took the object's life, and is told of.
            pending.lock().unwrap().push_front(case);
            continue;
        }
        case.tries += 1;
        let failed = meet(ground, name, &case).await.err();
        alive = failed.is_none();
        match failed {
            Some(Failed::Unmet(_)) if case.tries < TRIES => pending.lock().unwrap().push_back(case),
            Some(Failed::Unmet(why) | Failed::Wrong(why)) => {
                let why = format!("{why} (object {name})");
                outcomes.lock().unwrap().push(outcome(ground.subject, usual.step, case.name, Some(why)));
            }
            None => outcomes.lock().unwrap().push(outcome(ground.subject, usual.step, case.name, None)),
        }
    }
}

async fn undisturbed_step(ground: &Ground, name: &str, step: Step) -> bool {
    ground.take(name, step, &QUIET).await.is_ok()
}

/// Lets a step meet a fault and checks how it ends, and the way there.
async fn meet(ground: &Ground, name: &str, case: &Case<'_>) -> Result<(), Failed> {
    let Case { usual, call, trouble, effect, .. } = case;
    let azure = &ground.scene.azure;
    let calls_before = azure.journal_about(name).len();
    let rule = azure.add_fault(call.meets(name, trouble.fault.clone()).times(trouble.times));
    let taken = ground.take(name, usual.step, effect).await;
    azure.remove_fault(rule);
    let journal = azure.journal_about(name).split_off(calls_before);
    let by_rule = |entry: &JournalEntry| {
        entry.fault.iter().flat_map(|faults| faults.split("; ")).any(|fault| fault.starts_with(&format!("{rule}: ")))
    };
    // On a slow machine a reconcile may look at what its cache does not show yet, and that read is not the one that is meant.
    let met = journal.iter().position(by_rule).map(|place| progress(&journal[..place], &ground.id(name)));
    if met != Some(call.progress) {
        let story = taken.map_or_else(|why| why, |taken| taken.story());
        return Err(Failed::Unmet(format!("the fault was not met where it was meant to be:\n{story}")));
    }
    let taken = taken.map_err(Failed::Wrong)?;
    match the_end(ground, name, case, &taken).or_else(|| the_way(name, case, &taken)) {
        None => Ok(()),
        Some(wrong) => Err(Failed::Wrong(format!("{wrong}\nThe way was:\n{}", taken.story()))),
    }
}

fn the_end(ground: &Ground, name: &str, case: &Case<'_>, taken: &Taken) -> Option<String> {
    let Case { usual, effect, .. } = case;
    let id = ground.id(name);
    let mut in_azure = ground.in_azure(name);
    let mut expected = usual.in_azure.clone();
    if effect.end == End::Remade {
        in_azure.iter_mut().chain(&mut expected).for_each(without_tags_of_the_service);
    }
    if effect.end == End::Released {
        let removed = ground.scene.azure.remove_resource(&id);
        return removed.err().map(|_| "the resource is not in Azure any more".to_owned());
    }
    if in_azure != expected {
        return Some(format!("Azure has {in_azure:#?}\nand not, as usual, {expected:#?}"));
    }
    if effect.end == End::Stalled && !taken.seen.iter().any(Seen::is_stalled) {
        return Some("it was never stalled".to_owned());
    }
    let puts = effective_puts(&taken.calls, &id);
    let most = 1 + effect.more_puts;
    (usual.step == Step::Create && !(1..=most).contains(&puts))
        .then(|| format!("{puts} PUTs took effect, where {most} may"))
}

fn without_tags_of_the_service(resource: &mut Value) {
    if let Some(tags) = resource["tags"].as_object_mut() {
        tags.retain(|tag, _| !tag.starts_with("__SYSTEM__"));
    }
}

fn the_way(name: &str, case: &Case<'_>, taken: &Taken) -> Option<String> {
    let Case { usual, effect, .. } = case;
    let told = reasons(&taken.seen);
    if let Some(reason) = effect.tells.filter(|reason| !told.contains(*reason)) {
        return Some(format!("{reason} was never told, but {told:?}"));
    }
    let mut may = usual.reasons.clone();
    // A sibling in the same hub may be at work.
    may.insert("Busy".to_owned());
    may.extend(effect.tells.into_iter().chain(effect.may_tell.iter().copied()).map(str::to_owned));
    let of_its_own = reasons(taken.seen.iter().filter(|seen| !seen.is_held_back()));
    let besides: Vec<&String> = of_its_own.difference(&may).collect();
    if !besides.is_empty() {
        return Some(format!("{besides:?} was told, where only {may:?} may be"));
    }
    taken
        .seen
        .iter()
        .find_map(|seen| seen.nameless(name))
        .map(|message| format!("a message without the name: {message}"))
}
