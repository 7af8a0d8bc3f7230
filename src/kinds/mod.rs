//! What each kind owns in Azure, and what it publishes.

pub mod connection;
pub mod containers;
pub mod hub;
pub mod project;
mod workspace;
pub mod world;

pub use world::{Catalog, World};
