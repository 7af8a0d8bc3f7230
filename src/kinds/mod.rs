//! What each kind owns in Azure, and what it publishes.

pub mod connection;
pub mod containers;
pub mod hub;
mod network;
pub mod project;
mod workspace;
pub mod world;

pub use world::{Catalog, World};
