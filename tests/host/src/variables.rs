//! The values of application variables, and `spin:variables`.
//!
//! Precedence, as in Spin: `--variable`, then `SPIN_VARIABLE_<NAME>` in the environment, then the
//! default. A component sees only the variables that it declares. `.env` files are not read.

use std::collections::BTreeMap;
use std::sync::Arc;

use anyhow::{Context, bail};
use wasmtime::component::{Accessor, HasData};

use crate::bindings::variables::{Error as WitError, Host, HostWithStore};
use crate::expressions::{Error, Template, check_name};
use crate::manifest::Manifest;

/// The values of all variables, and each component's view of them.
#[derive(Debug, Default)]
pub struct Variables {
    values: BTreeMap<String, String>,
    /// Component → its variable → the value, with templates resolved.
    by_component: BTreeMap<String, BTreeMap<String, String>>,
}

impl Variables {
    /// `given` are the `--variable` flags; `environment` looks up one environment variable.
    /// Fails on an invalid or unknown name, and on a required variable without a value.
    pub fn new(
        manifest: &Manifest,
        given: &[(String, String)],
        environment: impl Fn(&str) -> Option<String>,
    ) -> anyhow::Result<Self> {
        // The last of two equal flags wins.
        let given: BTreeMap<_, _> = given.iter().cloned().collect();
        let mut values = BTreeMap::new();
        let mut missing = Vec::new();
        for (name, variable) in &manifest.variables {
            check_name(name)?;
            let from_environment =
                || environment(&format!("SPIN_VARIABLE_{}", name.to_ascii_uppercase()));
            let value = given.get(name).cloned().or_else(from_environment);
            match value.or_else(|| variable.default.clone()) {
                Some(value) => {
                    values.insert(name.clone(), value);
                }
                None => missing.push(name.as_str()),
            }
        }
        if !missing.is_empty() {
            bail!("no provider resolved required variable(s): {}", missing.join(", "));
        }
        let mut variables = Self { values, by_component: BTreeMap::new() };
        for (component, declared) in &manifest.components {
            let mut seen = BTreeMap::new();
            for (name, template) in &declared.variables {
                let value = variables
                    .declared(name, template)
                    .with_context(|| format!("variable {name:?} of component {component:?}"))?;
                seen.insert(name.clone(), value);
            }
            variables.by_component.insert(component.clone(), seen);
        }
        Ok(variables)
    }

    fn declared(&self, name: &str, template: &str) -> Result<String, Error> {
        check_name(name)?;
        let template = Template::parse(template)?;
        template.resolve(|name| match self.values.get(name) {
            Some(value) => Ok(value.clone()),
            None => Err(Error::InvalidTemplate(format!("unknown variable {name:?}"))),
        })
    }

    /// The value of an application variable, for templates outside of a component's variables.
    pub fn value(&self, name: &str) -> Result<String, Error> {
        match self.values.get(name) {
            Some(value) => Ok(value.clone()),
            None => Err(Error::InvalidName(name.into())),
        }
    }

    /// The answer of `spin:variables` to this component.
    pub fn get(&self, component: &str, name: &str) -> Result<String, Error> {
        check_name(name)?;
        let seen = self.by_component.get(component);
        match seen.and_then(|seen| seen.get(name)) {
            Some(value) => Ok(value.clone()),
            None => Err(Error::Undefined(format!("no variable for {component:?}.{name:?}"))),
        }
    }
}

/// One instance's state of variables.
pub struct VariablesState {
    pub component: Arc<str>,
    pub variables: Arc<Variables>,
}

/// Marks `VariablesState` as the data behind the generated traits.
pub struct HasVariables;

impl HasData for HasVariables {
    type Data<'a> = &'a mut VariablesState;
}

impl Host for VariablesState {}

impl<T: Send> HostWithStore<T> for HasVariables {
    async fn get(
        accessor: &Accessor<T, Self>,
        name: String,
    ) -> wasmtime::Result<Result<String, WitError>> {
        let got = accessor.with(|mut access| {
            let state = access.get();
            state.variables.get(&state.component, &name)
        });
        Ok(got.map_err(|error| match error {
            Error::InvalidName(reason) => WitError::InvalidName(reason),
            Error::Undefined(reason) => WitError::Undefined(reason),
            Error::Provider(reason) => WitError::Provider(reason),
            Error::InvalidTemplate(_) => WitError::Other(error.to_string()),
        }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MANIFEST: &str = r#"
        spin_manifest_version = 2
        [application]
        name = "t"
        [variables]
        plain = { default = "from-default" }
        needed = { required = true, secret = true }
        [[trigger.http]]
        route = "/a/..."
        component = "a"
        [component.a]
        source = "a.wasm"
        [component.a.variables]
        mine = "{{ plain }}-{{ needed }}"
        [component.b]
        source = "b.wasm"
    "#;

    fn variables(
        given: &[(&str, &str)],
        environment: &[(&str, &str)],
    ) -> anyhow::Result<Variables> {
        let given: Vec<_> = given.iter().map(|(k, v)| ((*k).into(), (*v).into())).collect();
        Variables::new(&Manifest::parse(MANIFEST).unwrap(), &given, |name| {
            let found = environment.iter().find(|(key, _)| *key == name);
            found.map(|(_, value)| (*value).to_owned())
        })
    }

    #[test]
    fn flags_override_the_environment_and_it_overrides_the_default() {
        let environment = [("SPIN_VARIABLE_PLAIN", "env"), ("SPIN_VARIABLE_NEEDED", "env")];
        let both = variables(&[("plain", "flag")], &environment).unwrap();
        assert_eq!(both.get("a", "mine").unwrap(), "flag-env");
        let default = variables(&[("needed", "flag")], &[]).unwrap();
        assert_eq!(default.get("a", "mine").unwrap(), "from-default-flag");
    }

    #[test]
    fn a_missing_required_variable_is_named() {
        let error = variables(&[], &[]).unwrap_err().to_string();
        assert_eq!(error, "no provider resolved required variable(s): needed");
    }

    #[test]
    fn a_component_sees_only_what_it_declares() {
        let variables = variables(&[("needed", "x")], &[]).unwrap();
        assert!(matches!(variables.get("a", "plain"), Err(Error::Undefined(_))));
        assert!(matches!(variables.get("b", "mine"), Err(Error::Undefined(_))));
        assert!(matches!(variables.get("a", "No"), Err(Error::InvalidName(_))));
    }

    #[test]
    fn a_template_with_an_unknown_variable_stops_the_start() {
        let manifest = MANIFEST.replace("{{ plain }}", "{{ nobody }}");
        let manifest = Manifest::parse(&manifest).unwrap();
        let given = [("needed".to_owned(), "x".to_owned())];
        let error = Variables::new(&manifest, &given, |_| None).unwrap_err();
        assert!(format!("{error:#}").contains("unknown variable \"nobody\""), "{error:#}");
    }
}
