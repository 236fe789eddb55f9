//! The part of `spin.toml` (manifest version 2) that this host can serve.
//!
//! Rejects every unknown key by name, including Spin's keys that this host lacks: a component must
//! not run here without a feature that it would have there.

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::{Context, bail, ensure};
use serde::Deserialize;

use crate::expressions::check_name;

/// A parsed and checked manifest. Paths are as written, relative to the manifest.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Manifest {
    spin_manifest_version: i64,
    pub application: Application,
    #[serde(default)]
    pub variables: BTreeMap<String, Variable>,
    #[serde(default)]
    trigger: Triggers,
    #[serde(default, rename = "component")]
    pub components: BTreeMap<String, Component>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Application {
    pub name: String,
    #[serde(default, rename = "version")]
    _version: String,
    #[serde(default, rename = "description")]
    _description: String,
    #[serde(default, rename = "authors")]
    _authors: Vec<String>,
    #[serde(default, rename = "tool")]
    _tool: toml::Table,
}

/// Required or with a default: exactly one of the two.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Variable {
    #[serde(default, rename = "description")]
    _description: String,
    #[serde(default)]
    required: bool,
    pub default: Option<String>,
    // A label for people; Spin ignores it, too.
    #[serde(default, rename = "secret")]
    _secret: bool,
}

#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct Triggers {
    #[serde(default)]
    http: Vec<HttpTrigger>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HttpTrigger {
    #[serde(default, rename = "id")]
    _id: String,
    pub route: Route,
    pub component: String,
}

#[derive(Debug, Deserialize)]
#[serde(untagged)]
pub enum Route {
    Path(String),
    Private(toml::Table),
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Component {
    pub source: String,
    #[serde(default, rename = "description")]
    _description: String,
    #[serde(default)]
    pub variables: BTreeMap<String, String>,
    #[serde(default)]
    pub environment: BTreeMap<String, String>,
    #[serde(default)]
    pub files: Vec<FileMount>,
    #[serde(default)]
    pub exclude_files: Vec<String>,
    #[serde(default)]
    pub allowed_outbound_hosts: Vec<String>,
    #[serde(default)]
    pub sqlite_databases: Vec<String>,
    #[serde(default, rename = "build")]
    _build: toml::Table,
    #[serde(default, rename = "tool")]
    _tool: toml::Table,
}

#[derive(Debug, Deserialize)]
#[serde(untagged, deny_unknown_fields)]
pub enum FileMount {
    Pattern(String),
    Placement { source: String, destination: String },
}

impl Manifest {
    pub fn read(path: &Path) -> anyhow::Result<Self> {
        let text = std::fs::read_to_string(path)
            .with_context(|| format!("cannot read the manifest {}", path.display()))?;
        Self::parse(&text).with_context(|| format!("in the manifest {}", path.display()))
    }

    pub fn parse(text: &str) -> anyhow::Result<Self> {
        let manifest: Self = toml::from_str(text)?;
        manifest.check()?;
        Ok(manifest)
    }

    /// In the manifest's order, which decides between equal routes.
    pub fn http_triggers(&self) -> &[HttpTrigger] {
        &self.trigger.http
    }

    fn check(&self) -> anyhow::Result<()> {
        let version = self.spin_manifest_version;
        ensure!(version == 2, "spin_manifest_version is {version}, only 2 is supported");
        for (name, variable) in &self.variables {
            check_name(name)?;
            ensure!(
                variable.required ^ variable.default.is_some(),
                "variable {name:?} must be `required` OR have a `default`"
            );
        }
        for id in self.components.keys() {
            check_component_id(id).with_context(|| format!("component id {id:?}"))?;
        }
        for trigger in self.http_triggers() {
            let component = &trigger.component;
            ensure!(
                self.components.contains_key(component),
                "a trigger names component {component:?}, which the manifest does not define"
            );
            if let Route::Private(_) = &trigger.route {
                bail!("component {component:?}: private routes are not supported by this host");
            }
        }
        ensure!(!self.trigger.http.is_empty(), "the manifest has no [[trigger.http]]");
        Ok(())
    }
}

/// Kebab case, as in Spin.
fn check_component_id(id: &str) -> anyhow::Result<()> {
    for word in id.split('-') {
        ensure!(
            word.starts_with(|c: char| c.is_ascii_alphabetic()),
            "words between '-' must start with an ASCII letter"
        );
        let one_case = !word.contains(|c: char| c.is_ascii_uppercase())
            || !word.contains(|c: char| c.is_ascii_lowercase());
        ensure!(
            one_case && word.chars().all(|c| c.is_ascii_alphanumeric()),
            "words between '-' must be ASCII letters of one case and digits"
        );
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    const SMALL: &str = r#"
        spin_manifest_version = 2
        [application]
        name = "t"
        [[trigger.http]]
        route = "/..."
        component = "a"
        [component.a]
        source = "a.wasm"
    "#;

    fn error(from: &str, to: &str) -> String {
        let text = SMALL.replacen(from, to, 1);
        assert_ne!(text, SMALL);
        format!("{:#}", Manifest::parse(&text).unwrap_err())
    }

    #[test]
    fn a_small_manifest_is_parsed() {
        let manifest = Manifest::parse(SMALL).unwrap();
        assert_eq!(manifest.components["a"].source, "a.wasm");
        assert_eq!(manifest.http_triggers().len(), 1);
    }

    #[test]
    fn unknown_keys_are_named() {
        for key in ["key_value_stores = ['default']", "souce = 'x'", "dependencies = {}"] {
            let name = key.split(' ').next().unwrap();
            let error = error("source", &format!("{key}\nsource"));
            assert!(error.contains(&format!("unknown field `{name}`")), "{error}");
        }
        let error = error("component = \"a\"", "component = 'a'\nexecutor = { type = 'wagi' }");
        assert!(error.contains("unknown field `executor`"), "{error}");
    }

    #[test]
    fn other_triggers_and_private_routes_are_rejected() {
        let other = error("[[trigger.http]]", "[[trigger.redis]]");
        assert!(other.contains("unknown field `redis`"), "{other}");
        let private = error("\"/...\"", "{ private = true }");
        assert!(private.contains("private routes are not supported"), "{private}");
    }

    #[test]
    fn references_and_ids_are_checked() {
        let error_of = |from, to| error(from, to);
        assert!(error_of("component = \"a\"", "component = 'b'").contains("\"b\""));
        assert!(error_of("[component.a]", "[component.a_b]").contains("component id \"a_b\""));
        assert!(error_of("version = 2", "version = 1").contains("only 2 is supported"));
    }

    #[test]
    fn a_variable_is_required_or_has_a_default() {
        for variable in ["{}", "{ required = true, default = '' }"] {
            let error = error("[[trigger", &format!("[variables]\nv = {variable}\n[[trigger"));
            assert!(error.contains("variable \"v\" must be"), "{error}");
        }
    }
}
