//! Breadth first through every state that can be reached, so that what is found wrong is shown on a shortest way.
//!
//! Own code rather than `stateright`: that brings a web server along, and its `eventually` does not look into cycles and
//! joins of ways, which reconciles are full of. Here what has to happen in the end is looked for from every single state.

use std::collections::HashSet;
use std::fmt::Debug;
use std::hash::{BuildHasher, Hash, RandomState};

/// What can be searched.
pub trait Model {
    type State: Clone + Hash;
    type Action: Copy + Debug;

    fn initial(&self) -> Self::State;
    /// Everything that can happen next.
    fn actions(&mut self, state: &Self::State) -> Vec<Self::Action>;
    /// What it leads to.
    ///
    /// # Errors
    /// What must never happen, and does.
    fn next(&mut self, state: &Self::State, action: Self::Action) -> Result<Self::State, String>;
    /// Whether it all ends well from here where nothing more disturbs it.
    ///
    /// # Errors
    /// What does not.
    fn calm_down(&mut self, state: &Self::State) -> Result<(), String>;
}

/// How many states there are, or what is wrong and the way to it.
pub fn search<M: Model>(model: &mut M) -> Result<usize, String> {
    // The states themselves are kept only while they wait: 64 bits of each are enough to know it again.
    let fingerprints = RandomState::new();
    let mut known = HashSet::new();
    let mut ways: Vec<(usize, Option<M::Action>)> = vec![(0, None)];
    let mut frontier = vec![(0, model.initial())];
    known.insert(fingerprints.hash_one(&frontier[0].1));
    while !frontier.is_empty() {
        let mut next_frontier = Vec::new();
        for (at, state) in frontier {
            let told = |why: String| format!("{why}\n{}", way_to(&ways, at));
            model.calm_down(&state).map_err(told)?;
            for action in model.actions(&state) {
                let next = model
                    .next(&state, action)
                    .map_err(|why| format!("{why}\n{}      {action:?}", way_to(&ways, at)))?;
                if known.insert(fingerprints.hash_one(&next)) {
                    ways.push((at, Some(action)));
                    next_frontier.push((ways.len() - 1, next));
                }
            }
        }
        frontier = next_frontier;
    }
    Ok(ways.len())
}

fn way_to<A: Copy + Debug>(ways: &[(usize, Option<A>)], mut at: usize) -> String {
    let mut way = Vec::new();
    while let (before, Some(action)) = ways[at] {
        way.push(format!("      {action:?}\n"));
        at = before;
    }
    way.into_iter().rev().collect()
}
