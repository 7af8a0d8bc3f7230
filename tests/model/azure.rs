//! Azure as far as the model knows it: one hub that may be there, one outbound rule in it, one operation at a time.

use std::collections::BTreeMap;

use foundry_operator::api::status::OperationKind;

/// The owner mark that a hub carries.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Mark {
    None,
    Ours,
    Others,
}

/// The state in which Azure shows a hub.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Phase {
    Making,
    Changing,
    Deleting,
    There,
    Failed,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Hub {
    /// Tells it from a namesake.
    pub birth: u8,
    pub mark: Mark,
    /// The version of the spec that it is as.
    pub spec: u8,
    pub phase: Phase,
    /// The operator wrote to it. Nobody tells the planner: this is the truth that it is held against.
    pub touched: bool,
}

/// What a write does to the hub once it has taken effect.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Change {
    pub spec: Option<u8>,
    pub marks: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Running {
    pub number: u8,
    pub kind: OperationKind,
    pub change: Change,
}

/// How an operation ended, or a write failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum End {
    Well,
    /// Azure says that it went well, and shows nothing of it.
    InVain,
    /// Something passing stood in the way.
    Passing,
    /// Azure refuses it for good.
    Lasting,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Azure {
    pub hub: Option<Hub>,
    pub rule: bool,
    /// The rule was written to what turned out to be another's hub: nobody can prevent that, and nobody has to mend it.
    pub astray: bool,
    pub running: Option<Running>,
    /// Operations that have ended and that somebody may still ask about.
    pub ended: BTreeMap<u8, End>,
}

/// What somebody else does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Outside {
    DeletesTheHub,
    DeletesTheRule,
    TakesTheMarkOff,
    PutsAnotherMarkOn,
    ChangesAField,
    MakesANamesake { marked: bool },
}

impl Azure {
    /// Azure takes up a write to the hub. The caller has made sure that nothing runs.
    pub fn begin(&mut self, number: u8, birth: u8, kind: OperationKind, change: Change) {
        match (&mut self.hub, kind) {
            (None, OperationKind::Create) => {
                let spec = change.spec.unwrap_or_default();
                self.hub = Some(Hub { birth, mark: Mark::Ours, spec, phase: Phase::Making, touched: true });
            }
            (Some(hub), OperationKind::Create | OperationKind::Update) => {
                hub.phase = Phase::Changing;
                hub.touched = true;
            }
            (Some(hub), OperationKind::Delete) => hub.phase = Phase::Deleting,
            (hub, kind) => panic!("the model has no {kind:?} of {hub:?}"),
        }
        self.running = Some(Running { number, kind, change });
    }

    /// The operation that runs ends.
    pub fn end(&mut self, end: End) {
        let Some(Running { number, kind, change }) = self.running.take() else { return };
        self.ended.insert(number, end);
        let Some(hub) = &mut self.hub else { return };
        match (kind, end) {
            (OperationKind::Delete, End::Well) => (self.hub, self.rule) = (None, false),
            (OperationKind::Delete, _) | (_, End::InVain) => hub.phase = Phase::There,
            (_, End::Well) => {
                hub.phase = Phase::There;
                hub.spec = change.spec.unwrap_or(hub.spec);
                hub.mark = if change.marks { Mark::Ours } else { hub.mark };
            }
            (_, End::Passing | End::Lasting) => hub.phase = Phase::Failed,
        }
    }

    /// Whether it can be done now.
    pub fn allows(&self, outside: Outside) -> bool {
        // While Azure is at work on it, it takes no changes from others either.
        let idle = self.hub.filter(|_| self.running.is_none());
        match outside {
            Outside::DeletesTheHub => self.hub.is_some(),
            Outside::DeletesTheRule => self.rule,
            Outside::ChangesAField => idle.is_some(),
            Outside::TakesTheMarkOff => idle.is_some_and(|hub| hub.mark == Mark::Ours),
            Outside::PutsAnotherMarkOn => idle.is_some_and(|hub| hub.mark != Mark::Others),
            Outside::MakesANamesake { .. } => self.hub.is_none(),
        }
    }

    pub fn meet(&mut self, outside: Outside, birth: u8) {
        match (outside, &mut self.hub) {
            (Outside::DeletesTheHub, _) => {
                (self.hub, self.rule) = (None, false);
                // What was at work on it has nothing to work on any more.
                if let Some(Running { number, kind, .. }) = self.running.take() {
                    self.ended.insert(number, if kind == OperationKind::Delete { End::Well } else { End::Passing });
                }
            }
            (Outside::DeletesTheRule, _) => self.rule = false,
            (Outside::TakesTheMarkOff, Some(hub)) => hub.mark = Mark::None,
            (Outside::PutsAnotherMarkOn, Some(hub)) => hub.mark = Mark::Others,
            (Outside::ChangesAField, Some(hub)) => hub.spec = 1 - hub.spec,
            (Outside::MakesANamesake { marked }, None) => {
                let mark = if marked { Mark::Others } else { Mark::None };
                self.hub = Some(Hub { birth, mark, spec: 0, phase: Phase::There, touched: false });
            }
            (outside, hub) => panic!("the model has no {outside:?} of {hub:?}"),
        }
    }
}
