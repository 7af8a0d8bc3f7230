//! The chart, installed in a real cluster.

mod admission;
mod release;
mod rules;
mod templates;
mod upgrade;
mod values;
