//! The page has every metric that documents and dashboard name.

use push::sender::Config;
use support::metrics_page;

use super::*;

/// The page of a worker that has done nothing yet.
async fn new_page() -> String {
    let config = Config { roots: push::Roots::Only(Vec::new()), ..Config::default() };
    let page = Page {
        access: MetricsAccess::default(),
        metrics: Arc::new(Metrics::default()),
        health: Arc::new(Health::default()),
        sender: Arc::new(Sender::new(config).await.unwrap()),
    };
    page.render(Format::Prometheus).unwrap()
}

#[tokio::test]
async fn the_documented_metrics_are_on_the_page() {
    let found = metrics_page::has_the_documented(&new_page().await, "bellwire_push_");
    assert!(found > 10, "{found}");
}

#[tokio::test]
async fn the_alerts_are_about_metrics_that_exist() {
    let found = metrics_page::has_the_alerts(&new_page().await, "bellwire_push_");
    assert!(found > 6, "{found}");
}

#[tokio::test]
async fn the_dashboard_shows_metrics_that_exist() {
    let found = metrics_page::has_the_dashboards(&new_page().await, &["bellwire_push_"]);
    assert!(found > 10, "{found}");
}
