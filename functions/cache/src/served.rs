//! The instance's resources with their policies.

use std::cell::OnceCell;
use std::rc::Rc;

use runtime::cache::{Policy, Windows};
use runtime::{Code, Error, log};
use shared::ids::check_id;

use resources::template::push_plain;
use resources::{Resource, Resources, Times};

/// Parsed once per instance; the error of an invalid file is kept, too.
type Loaded = Result<Rc<Vec<Rc<Served>>>, Error>;

thread_local! {
    static LOADED: OnceCell<Loaded> = const { OnceCell::new() };
}

/// A resource with its policy.
pub struct Served {
    pub resource: Resource,
    pub policy: Policy,
}

/// The resource and parameters of a path.
pub struct Target {
    pub served: Rc<Served>,
    /// Values of the path's parameters, in order.
    pub params: Rc<Vec<String>>,
}

impl Target {
    /// Finds the resource for the path after `/cache/`.
    ///
    /// # Errors
    /// `not_found`; `invalid_id`; `internal` if the declarations are invalid, which the log
    /// explains.
    pub fn find(path: &[&str]) -> Result<Self, Error> {
        let all = all()?;
        let served = all.iter().find(|served| served.resource.matches(path));
        let served = Rc::clone(served.ok_or_else(|| Error::not_found("this resource"))?);
        let segments = served.resource.segments.iter().zip(path);
        let params = segments.filter(|(own, _)| own.is_none()).map(|(_, given)| *given);
        let params: Vec<String> = params.map(str::to_owned).collect();
        let Resource { params: names, types, .. } = &served.resource;
        for ((param, name), param_type) in params.iter().zip(names).zip(types) {
            check_id(param, "parameter")?;
            if let Err(problem) = param_type.check(param) {
                let problem = format!("the parameter `{name}` {problem}");
                return Err(Error::field(Code::InvalidId, name, problem));
            }
        }
        Ok(Self { served, params: Rc::new(params) })
    }

    pub fn key(&self) -> String {
        self.served.resource.key.fill(&self.params, push_plain)
    }

    pub fn tags(&self) -> Vec<String> {
        let tags = self.served.resource.tags.iter();
        tags.map(|tag| tag.fill(&self.params, push_plain)).collect()
    }
}

/// All declared resources.
///
/// # Errors
/// `internal` if the declarations are invalid, which the log explains.
pub fn all() -> Result<Rc<Vec<Rc<Served>>>, Error> {
    LOADED.with(|loaded| loaded.get_or_init(load).clone())
}

fn load() -> Loaded {
    let unusable = |problem: &str| {
        log::error("resources_unusable", &[("file", "resources.toml"), ("error", problem)]);
        Error::new(Code::Internal, "the resources are not configured")
    };
    let resources = Resources::mounted().map_err(|problem| unusable(&problem))?;
    let served = resources.0.into_iter().map(|resource| {
        let policy = policy(&resource);
        Rc::new(Served { resource, policy })
    });
    Ok(Rc::new(served.collect()))
}

fn policy(resource: &Resource) -> Policy {
    let Times { fresh, stale, error, absent, cool_down, timeout, soft_timeout, local } =
        resource.times;
    let default = Windows::default();
    let windows = Windows {
        fresh,
        stale: stale.unwrap_or(default.stale),
        error: error.unwrap_or(default.error),
        absent: absent.unwrap_or(default.absent),
        cool_down: cool_down.unwrap_or(default.cool_down),
    };
    let policy = Policy::new(&resource.path).with_windows(windows).bytes_max(resource.bytes_max);
    let policy = policy.counted();
    let policy = timeout.into_iter().fold(policy, Policy::timeout);
    let policy = soft_timeout.into_iter().fold(policy, Policy::soft_timeout);
    local.into_iter().fold(policy, Policy::local)
}
