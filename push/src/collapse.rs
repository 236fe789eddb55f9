//! Ids under which a device replaces a push rather than shows it twice.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::digest;

/// 24 bytes are 32 characters of base64: the longest that Web Push's `Topic` may be.
const ID_BYTES: usize = 24;

/// The ids of one push to one device.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ids {
    /// `android.notification.tag`, `apns-collapse-id`, `Topic`, and the service worker's `tag`: 32
    /// characters of base64url.
    pub tag: String,
    /// FCM's `collapse_key`. Only where the sender asked for collapsing: FCM keeps four per device, so
    /// one per notification would lose all but four.
    pub collapse_key: Option<String>,
}

impl Ids {
    /// The same arguments give the same ids, so a repeated push replaces its first copy. With
    /// `collapse`, so does a later notification of the same user under the same name.
    #[must_use]
    pub fn new(notification: &str, user: &str, device: &str, collapse: Option<&str>) -> Self {
        let tag = match collapse {
            None => hash(&["notification", notification, user, device]),
            Some(name) => hash(&["collapse", name, user, device]),
        };
        Self { tag, collapse_key: collapse.map(|name| hash(&["key", name])) }
    }
}

/// Each part is preceded by its length, so that no two lists of parts are the same bytes.
fn hash(parts: &[&str]) -> String {
    let mut context = digest::Context::new(&digest::SHA256);
    for part in parts {
        context.update(&(part.len() as u64).to_be_bytes());
        context.update(part.as_bytes());
    }
    let hash = context.finish();
    URL_SAFE_NO_PAD.encode(hash.as_ref().get(..ID_BYTES).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_repeat_has_the_same_ids_and_every_device_its_own() {
        let ids = Ids::new("n1", "alice", "phone", None);
        assert_eq!(ids, Ids::new("n1", "alice", "phone", None));
        assert_eq!(ids.collapse_key, None);
        for other in [("n2", "alice", "phone"), ("n1", "bob", "phone"), ("n1", "alice", "tablet")] {
            assert_ne!(ids.tag, Ids::new(other.0, other.1, other.2, None).tag);
        }
        assert_ne!(Ids::new("ab", "c", "d", None).tag, Ids::new("a", "bc", "d", None).tag);
    }

    #[test]
    fn notifications_of_one_collapse_name_replace_each_other() {
        let ids = Ids::new("n1", "alice", "phone", Some("score"));
        assert_eq!(ids, Ids::new("n2", "alice", "phone", Some("score")));
        assert_ne!(ids, Ids::new("n2", "alice", "phone", Some("chat")));
    }

    proptest! {
        #[test]
        fn ids_fit_every_service(a in ".*", b in ".*", c in ".*", d in proptest::option::of(".*")) {
            let ids = Ids::new(&a, &b, &c, d.as_deref());
            for id in [Some(&ids.tag), ids.collapse_key.as_ref()].into_iter().flatten() {
                prop_assert_eq!(id.len(), 32);
                prop_assert!(id.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_'));
            }
        }
    }
}
