//! A user of a campaign as a block holds it.

/// An element of the campaign's list, and what was attempted with it so far.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Item {
    /// The element's bytes. Other services may have written anything.
    pub element: Vec<u8>,
    /// Attempts so far that count.
    pub attempts: u32,
    /// Time of the first claim, in milliseconds of Redis' clock: pushes were due then.
    pub first_ms: i64,
    /// Whether a device accepted the push in an earlier attempt.
    pub is_sent: bool,
    /// Id of the user's entry in the feed, once it is written.
    pub entry: Option<String>,
    /// Names of the devices that are left; empty for all of them.
    pub devices: Vec<String>,
}

impl Item {
    pub(super) fn new(element: &[u8], first_ms: i64) -> Self {
        let (attempts, is_sent, entry, devices) = (0, false, None, Vec::new());
        Self { element: element.to_vec(), attempts, first_ms, is_sent, entry, devices }
    }

    /// The form in Redis, for another attempt: `<key> <attempts> <first_ms> <0|1>[:<entry>]
    /// <devices> <element>`. The devices are separated by commas, `*` stands for all. Equal elements
    /// need different keys, because the items are members of a set.
    pub(super) fn to_bytes(&self, key: &str) -> Vec<u8> {
        let mut is_sent = u8::from(self.is_sent).to_string();
        if let Some(entry) = &self.entry {
            is_sent = format!("{is_sent}:{entry}");
        }
        let devices = if self.devices.is_empty() { "*".to_owned() } else { self.devices.join(",") };
        let (attempts, first_ms) = (self.attempts, self.first_ms);
        let mut bytes = format!("{key} {attempts} {first_ms} {is_sent} {devices} ").into_bytes();
        bytes.extend_from_slice(&self.element);
        bytes
    }

    /// Parses the form in Redis; `None` for any other.
    pub(super) fn parse(bytes: &[u8]) -> Option<Self> {
        let mut parts = bytes.splitn(6, |byte| *byte == b' ');
        let mut word = || std::str::from_utf8(parts.next()?).ok();
        word()?;
        let attempts = word()?.parse().ok()?;
        let first_ms = word()?.parse().ok()?;
        let is_sent = word()?;
        let (is_sent, entry) = match is_sent.split_once(':') {
            Some((is_sent, entry)) => (is_sent, Some(entry.to_owned())),
            None => (is_sent, None),
        };
        let is_sent = match is_sent {
            "0" => false,
            "1" => true,
            _ => return None,
        };
        let devices = match word()? {
            "*" => Vec::new(),
            names => names.split(',').map(str::to_owned).collect(),
        };
        let element = parts.next()?.to_vec();
        Some(Self { element, attempts, first_ms, is_sent, entry, devices })
    }
}
