//! Selects the component for a path, and splits the path into the parts that Spin reports.
//!
//! The crate that Spin uses does the matching; this file adds Spin's additions. It does not
//! normalise or decode: `//x`, `/x` and `/x/` match the same routes, `%2F` never separates.

use std::collections::BTreeMap;

use anyhow::anyhow;

use crate::manifest::{Manifest, Route};
use crate::stdio::say;

/// Paths below it belong to the host.
pub const WELL_KNOWN_PREFIX: &str = "/.well-known/spin/";

/// All routes of an application.
pub struct Router {
    routes: routefinder::Router<Target>,
}

#[derive(Debug)]
struct Target {
    component: String,
    /// As written in the manifest.
    raw_route: String,
    /// With a leading slash, without a trailing one.
    route: String,
}

/// The outcome for one path.
pub struct RouteMatch<'a> {
    target: &'a Target,
    /// In the order of the route.
    pub params: Vec<(String, String)>,
    /// The part matched by `/...`, from its slash on; empty for other routes.
    pub path_info: String,
}

impl Router {
    pub fn new(manifest: &Manifest) -> anyhow::Result<Self> {
        let mut routes = Vec::new();
        for trigger in manifest.http_triggers() {
            if let Route::Path(route) = &trigger.route {
                routes.push((route.as_str(), trigger.component.as_str()));
            }
        }
        Self::build(&routes)
    }

    /// `routes` are pairs of route and component. Of equal routes the last one counts.
    fn build(routes: &[(&str, &str)]) -> anyhow::Result<Self> {
        let mut finder = routefinder::Router::new();
        for (index, (raw_route, component)) in routes.iter().enumerate() {
            let later = &routes[index + 1..];
            if let Some((_, other)) = later.iter().find(|(route, _)| route == raw_route) {
                say(format_args!(
                    "Route {raw_route} of {component} is never used: {other} has it too"
                ));
                continue;
            }
            let absolute = if raw_route.starts_with('/') { "" } else { "/" };
            let route = format!("{absolute}{raw_route}");
            let route = route.strip_suffix('/').unwrap_or(&route).to_owned();
            let spec = match route.strip_suffix("/...") {
                Some(prefix) => format!("{prefix}/*"),
                None => route.clone(),
            };
            let target = Target {
                component: (*component).to_owned(),
                raw_route: (*raw_route).to_owned(),
                route,
            };
            finder
                .add(spec, target)
                .map_err(|error| anyhow!("route {raw_route:?} of {component:?}: {error}"))?;
        }
        Ok(Self { routes: finder })
    }

    /// `path` is the raw path of the request, without the query.
    pub fn route(&self, path: &str) -> Option<RouteMatch<'_>> {
        let best = self.routes.best_match(path)?;
        let captures = best.captures();
        let params = captures.iter().map(|(k, v)| (k.to_owned(), v.to_owned())).collect();
        // The matcher drops trailing slashes; Spin restores one.
        let end = if path.ends_with('/') { "/" } else { "" };
        let path_info = match captures.wildcard() {
            None => String::new(),
            Some("") => end.to_owned(),
            Some(rest) => format!("/{rest}{end}"),
        };
        Some(RouteMatch { target: best.handler(), params, path_info })
    }

    /// Rows of the table at start-up: (component, path, whether it ends in a wildcard), by path.
    pub fn table(&self) -> Vec<(String, String, bool)> {
        let mut table = BTreeMap::new();
        for (_, target) in self.routes.iter() {
            let prefix = target.route.strip_suffix("/...");
            let path = prefix.unwrap_or(&target.route);
            let path = if path.is_empty() { "/" } else { path };
            let row = (target.component.clone(), path.to_owned(), prefix.is_some());
            table.insert(target.route.clone(), row);
        }
        table.into_values().collect()
    }
}

impl RouteMatch<'_> {
    pub fn component(&self) -> &str {
        &self.target.component
    }

    pub fn raw_route(&self) -> &str {
        &self.target.raw_route
    }

    pub fn matched_route(&self) -> &str {
        &self.target.route
    }

    pub fn component_route(&self) -> &str {
        self.target.raw_route.strip_suffix("/...").unwrap_or(&self.target.raw_route)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn router() -> Router {
        Router::build(&[
            ("/...", "all"),
            ("/users/:id/notifications/...", "feed"),
            ("/users/:id", "user"),
            ("/users/me", "me"),
            ("/cache/...", "cache"),
            ("/cache/status", "status"),
            ("/exact", "exact"),
        ])
        .unwrap()
    }

    fn component(path: &str) -> String {
        router().route(path).map_or_else(|| "-".into(), |found| found.component().to_owned())
    }

    #[test]
    fn exact_beats_parameter_beats_wildcard_and_longer_beats_shorter() {
        assert_eq!(component("/users/me"), "me");
        assert_eq!(component("/users/you"), "user");
        assert_eq!(component("/users/you/notifications"), "feed");
        assert_eq!(component("/users/you/notifications/7/x"), "feed");
        assert_eq!(component("/users/you/other"), "all");
        assert_eq!(component("/cache/status"), "status");
        assert_eq!(component("/cache/status/x"), "cache");
        assert_eq!(component("/cache"), "cache");
        assert_eq!(component("/cached"), "all");
        assert_eq!(component("/"), "all");
    }

    #[test]
    fn leading_and_trailing_slashes_do_not_count() {
        for path in ["/exact", "/exact/", "//exact", "///exact//"] {
            assert_eq!(component(path), "exact", "{path}");
        }
    }

    #[test]
    fn slashes_inside_do_count() {
        assert_eq!(component("/users//me"), "all");
        // An empty parameter matches in the middle and not at the end.
        assert_eq!(component("/users//notifications"), "feed");
        assert_eq!(component("/users//"), "all");
        let found = router();
        assert_eq!(found.route("/cache//a").unwrap().path_info, "//a");
    }

    #[test]
    fn encoded_slashes_do_not_separate_and_nothing_is_decoded() {
        let router = router();
        let found = router.route("/users/a%2Fb/notifications").unwrap();
        assert_eq!(found.component(), "feed");
        assert_eq!(found.params, [("id".to_owned(), "a%2Fb".to_owned())]);
        assert_eq!(component("/ex%61ct"), "all");
    }

    #[test]
    fn path_info_is_the_part_matched_by_the_wildcard_with_its_slash() {
        let router = router();
        let info = |path| router.route(path).unwrap().path_info;
        assert_eq!(info("/cache"), "");
        assert_eq!(info("/cache/"), "/");
        assert_eq!(info("/cache/a/b"), "/a/b");
        assert_eq!(info("/cache/a/"), "/a/");
        assert_eq!(info("/cache/a//"), "/a/");
        assert_eq!(info("/exact"), "");
    }

    #[test]
    fn without_a_catch_all_nothing_matches() {
        let router = Router::build(&[("/a", "a"), ("b/", "b")]).unwrap();
        assert!(router.route("/c").is_none());
        assert!(router.route("/a/x").is_none());
        assert_eq!(router.route("/b").unwrap().raw_route(), "b/");
        assert_eq!(router.route("/b").unwrap().matched_route(), "/b");
    }

    #[test]
    fn the_last_of_equal_routes_counts() {
        let router = Router::build(&[("/a", "first"), ("/a", "last")]).unwrap();
        assert_eq!(router.route("/a").unwrap().component(), "last");
    }
}
