//! What a campaign's load is made of: the users of a CSV file, in parts, and the push's template.

mod csv;
mod fields;
mod header;
mod quotes;
mod template;

pub use csv::{Users, WrongRow};
pub use fields::check as check_fields;
pub use template::{Push, read as read_template};
