//! Health, metrics and the console.

mod console;
mod health;
mod metrics;
