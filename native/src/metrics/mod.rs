//! The values of metrics, and the registration of their families.

mod families;
mod values;

pub use families::{Families, by};
pub use values::{Family, Histogram};
