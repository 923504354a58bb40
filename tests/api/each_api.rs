//! Tests that run on both versions of the cloud's API.

use tunnelgate::domain::api::Api;

use crate::harness::Harness;
use crate::support::Store;

/// The setup that a test receives: an empty ledger, and a cloud account that speaks this version of the API.
pub trait OnApi {
    async fn on(store: Store, api: Api) -> Self;
}

impl OnApi for Harness {
    async fn on(store: Store, api: Api) -> Self {
        Self::on_api(store, api, |_| {}).await
    }
}

/// Runs a test with the setup that its parameter names.
pub async fn run<T: OnApi>(test: impl AsyncFnOnce(T), store: Store, api: Api) {
    test(T::on(store, api).await).await;
}

/// Runs each test on both stores and on both versions of the cloud's API. The ledger and the cloud's client do not know each
/// other, so each test runs twice and not four times: on SQLite with API 3.0, on PostgreSQL with API 2.0.
macro_rules! on_each_api {
    ($($test:ident),+ $(,)?) => {
        mod on_sqlite_and_api_3 {
            use crate::{each_api::run, support::Store};
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $test() { run(super::$test, Store::sqlite(), tunnelgate::domain::api::Api::V3).await; })+
        }
        mod on_postgres_and_api_2 {
            use crate::{each_api::run, support::Store};
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $test() { run(super::$test, Store::postgres().await, tunnelgate::domain::api::Api::V2).await; })+
        }
    };
}

/// Runs each test, which builds its own setup, with both versions of the cloud's API.
macro_rules! with_each_api {
    ($($test:ident),+ $(,)?) => {
        mod with_api_2 {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $test() { super::$test(tunnelgate::domain::api::Api::V2).await; })+
        }
        mod with_api_3 {
            $(#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $test() { super::$test(tunnelgate::domain::api::Api::V3).await; })+
        }
    };
}
