//! The faults, and what each may cause: the one table that says what an object has to go through.

use std::collections::BTreeMap;
use std::time::Duration;

use arm_emulator::{Fault, Moment, OperationFault, Outcome};
use serde_json::{Value, json};

use crate::call::{Call, CallKind};
use crate::subject::{Step, Subject};

/// A fault that a call meets, once or so many times in a row.
pub struct Trouble {
    pub name: &'static str,
    pub fault: Fault,
    pub times: u64,
}

/// How a step ends in spite of a fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// As if nothing had been.
    Usual,
    /// Stalled, until somebody asks for another try; then as if nothing had been.
    Stalled,
    /// Azure said that the resource is not there, and was believed: the object is gone, and the resource is not.
    Released,
    /// Azure said so before an update, and was believed: the resource is made once more over what is there, which costs it
    /// the tags that the service itself had put on it.
    Remade,
}

/// What a fault causes.
#[derive(Clone, Copy, Debug)]
pub struct Effect {
    pub end: End,
    /// The reason that has to be seen on the way.
    pub tells: Option<&'static str>,
    /// Reasons that may be seen besides, since the fault leaves something to be cleared up.
    pub may_tell: &'static [&'static str],
    /// Whether the operator waits long by itself, so that the test asks for another try as soon as it was told why.
    pub slow: bool,
    /// How many PUTs more than one may take effect in making a new resource.
    pub more_puts: usize,
}

/// None that anybody sees.
pub const QUIET: Effect = Effect { end: End::Usual, tells: None, may_tell: &[], slow: false, more_puts: 0 };
/// ARM does not tell how an operation goes: the resource is looked at instead.
const UNTOLD: Effect = Effect { tells: Some("InProgress"), slow: true, ..QUIET };

fn fast(reason: &'static str) -> Effect {
    Effect { tells: Some(reason), ..QUIET }
}

fn slow(reason: &'static str) -> Effect {
    Effect { tells: Some(reason), slow: true, ..QUIET }
}

fn answer(status: u16, retry_after: Option<&str>, code: &str, message: &str) -> Fault {
    let headers = retry_after.map(|seconds| ("Retry-After".to_owned(), seconds.to_owned()));
    let body = json!({"error": {"code": code, "message": message}});
    Fault::Answer { status, headers: headers.into_iter().collect(), body }
}

fn page(status: u16) -> Fault {
    Fault::Html { status, page: "<html><body>a proxy on the way</body></html>".to_owned() }
}

fn ends(outcome: Outcome, code: &str) -> Fault {
    Fault::Operation(OperationFault::Ends { outcome, code: code.to_owned(), message: "no".to_owned() })
}

/// Every fault.
pub fn troubles() -> Vec<Trouble> {
    let text = |text: &str| Value::String(text.to_owned());
    let once = [
        ("400", answer(400, None, "ValidationError", "This is not to our liking")),
        ("401", answer(401, None, "InvalidAuthenticationToken", "The token is not to our liking")),
        ("403", answer(403, None, "AuthorizationFailed", "The client does not have authorization")),
        ("404 of a proxy", page(404)),
        ("404 of the group", answer(404, None, "ResourceGroupNotFound", "Resource group 'rg-ai' could not be found.")),
        ("404 of the parent", answer(404, None, "ParentResourceNotFound", "Parent resource not found.")),
        ("408", answer(408, None, "RequestTimeout", "Too late")),
        ("409", answer(409, None, "Conflict", "Another operation is being performed")),
        ("429", answer(429, None, "TooManyRequests", "Slow down")),
        ("429 with Retry-After", answer(429, Some("1"), "TooManyRequests", "Slow down")),
        ("500", answer(500, None, "InternalServerError", "Oops")),
        ("502 of a proxy", page(502)),
        ("503 with Retry-After", answer(503, Some("1"), "ServerBusy", "Not now")),
        ("drop before", Fault::DropConnection(Moment::Before)),
        ("drop after", Fault::DropConnection(Moment::After)),
        ("truncated", Fault::TruncateAfter(7)),
        ("not JSON", Fault::Answer { status: 200, headers: BTreeMap::new(), body: text("<html>hello</html>") }),
        ("delay", Fault::Delay(Duration::from_millis(400))),
        ("operation fails for now", ends(Outcome::Failed, "AnotherOperationInProgress")),
        ("operation fails for good", ends(Outcome::Failed, "BadRequest")),
        ("operation is canceled", ends(Outcome::Canceled, "OperationCanceled")),
        ("operation hangs", Fault::Operation(OperationFault::Hangs)),
    ];
    let in_a_row = ["401", "429", "500", "drop before"];
    let repeated = once.iter().filter(|(name, _)| in_a_row.contains(name));
    let repeated = repeated.map(|(name, fault)| Trouble { name, fault: fault.clone(), times: 3 }).collect::<Vec<_>>();
    once.into_iter().map(|(name, fault)| Trouble { name, fault, times: 1 }).chain(repeated).collect()
}

impl Trouble {
    pub fn is_of_operations(&self) -> bool {
        matches!(self.fault, Fault::Operation(_))
    }

    /// Whether the operator's client gets over it by itself: it waits, signs in anew once, and makes a read again at once, up
    /// to three times in all.
    fn is_absorbed(&self, call: &Call) -> bool {
        let is_read = matches!(call.kind, CallKind::Read | CallKind::List | CallKind::Poll);
        match self.name {
            "delay" => true,
            "401" => self.times == 1,
            "408"
            | "429"
            | "429 with Retry-After"
            | "500"
            | "502 of a proxy"
            | "503 with Retry-After"
            | "drop before"
            | "drop after"
            | "truncated" => is_read && self.times == 1,
            _ => false,
        }
    }

    /// Whether it can be at such a call.
    fn makes_sense(&self, subject: Subject, call: &Call) -> bool {
        let is_write = matches!(call.kind, CallKind::Write | CallKind::Delete);
        match self.name {
            _ if self.is_of_operations() => is_write && !subject.is_connection(),
            // What is answered to other writes is empty, and cannot break off.
            "truncated" => !is_write || (call.kind == CallKind::Write && subject.is_connection()),
            // Nobody reads what is answered to a deletion.
            "not JSON" => call.kind != CallKind::Delete,
            _ => true,
        }
    }

    /// What it causes at a call; `None` where it makes no sense there.
    pub fn effect(&self, subject: Subject, step: Step, call: &Call) -> Option<Effect> {
        use CallKind::{Delete, Poll, Read, Write};
        if !self.makes_sense(subject, call) {
            return None;
        }
        if self.is_absorbed(call) {
            // Another object's fault may have cost the operator its token just before: it signs in anew only so often.
            let may_tell: &[&str] = if self.name == "401" { &["SignInFailed"] } else { &[] };
            return Some(Effect { may_tell, ..QUIET });
        }
        // Deletions never stall.
        let lasting = match step {
            Step::Delete => slow("Refused"),
            Step::Create | Step::Update => Effect { end: End::Stalled, ..slow("Refused") },
        };
        let failed = |effect: Effect| Effect { more_puts: 1, ..effect };
        Some(match (self.name, call.kind) {
            ("400" | "403" | "404 of a proxy" | "404 of the group" | "404 of the parent", Poll) => UNTOLD,
            ("400", _) => lasting,
            ("401", _) => slow("SignInFailed"),
            ("403", _) => slow("Forbidden"),
            ("404 of a proxy", _) => slow("AzureUnavailable"),
            ("404 of the group" | "404 of the parent", Write) => slow("DependencyMissing"),
            ("404 of the group" | "404 of the parent", Read | Delete) if step == Step::Delete && call.progress == 0 => {
                Effect { end: End::Released, ..QUIET }
            }
            ("404 of the group" | "404 of the parent", Read) if step == Step::Update && call.progress == 0 => {
                Effect { end: End::Remade, may_tell: &["Creating"], ..QUIET }
            }
            ("404 of the group" | "404 of the parent", _) => Effect { may_tell: &["Creating"], ..QUIET },
            ("409", _) => fast("Busy"),
            ("429" | "429 with Retry-After", _) => fast("Throttled"),
            // The answer alone was lost: a workspace that is being made or changed by then is waited for, and a connection
            // is written again, because nobody can see whether its key has arrived.
            ("drop after" | "truncated", Write | Delete) => Effect {
                may_tell: &["InProgress"],
                slow: !subject.is_connection(),
                more_puts: usize::from(subject.is_connection()),
                ..fast("AzureUnavailable")
            },
            // Taken for a success, which the next look at the resource corrects.
            ("not JSON", Write) => Effect { may_tell: &["Creating", "Drifted"], slow: true, ..QUIET },
            ("operation fails for now", _) => failed(fast("Busy")),
            ("operation fails for good", _) => failed(lasting),
            ("operation is canceled", _) => failed(slow("AzureUnavailable")),
            ("operation hangs", _) => Effect { slow: true, ..QUIET },
            _ => fast("AzureUnavailable"),
        })
    }
}
