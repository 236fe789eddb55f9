//! Decodes a client's bytes (RFC 6455 §5, §6.2, §8.1): frames into messages; every rule is checked,
//! and text is validated as UTF-8 as it arrives.
//!
//! Own code to save memory: a library's reader keeps a buffer per socket. This one keeps bytes only
//! while a frame or a message is incomplete, which an idle client never causes.

use crate::protocol::frame::Opcode;

/// Largest payload of a control frame in bytes (§5.5).
const CONTROL_BYTES_MAX: usize = 125;

/// A complete message or control frame.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Inbound {
    Text(String),
    Binary(Vec<u8>),
    Ping(Vec<u8>),
    Pong(Vec<u8>),
    /// With the close code, if there is one.
    Close(Option<u16>),
    /// A frame of an incomplete message: nothing to handle, but it counts against the allowance.
    Fragment,
}

/// Why the connection has to be failed (§7.1.7).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Violation {
    Protocol(&'static str),
    /// Text, or the reason of a close frame, is not UTF-8 (§8.1).
    NotUtf8,
    TooLarge,
}

/// The decoder's state; see the module.
#[derive(Debug)]
pub struct Inbox {
    message_bytes_max: usize,
    /// Bytes of an incomplete header.
    pending: Vec<u8>,
    /// The frame whose payload is arriving.
    frame: Option<Frame>,
    /// Payload of the control frame that is arriving.
    control: Vec<u8>,
    message: Option<Message>,
}

#[derive(Clone, Copy, Debug)]
struct Frame {
    is_last: bool,
    opcode: Opcode,
    left: usize,
    mask: [u8; 4],
    /// Index into the mask of the next byte.
    at: usize,
}

/// An incomplete message of one or more frames.
#[derive(Debug)]
struct Message {
    is_text: bool,
    data: Vec<u8>,
    /// The text is valid UTF-8 up to this byte.
    checked: usize,
}

impl Inbox {
    pub fn new(message_bytes_max: usize) -> Self {
        Self {
            message_bytes_max,
            pending: Vec::new(),
            frame: None,
            control: Vec::new(),
            message: None,
        }
    }

    /// Consumes `bytes` until a message or frame is complete; `None` once all are consumed.
    ///
    /// # Errors
    /// The client violated the protocol; the bytes after that are meaningless.
    pub fn next(&mut self, bytes: &mut &[u8]) -> Result<Option<Inbound>, Violation> {
        let mut frame = match self.frame.take() {
            Some(frame) => frame,
            None => match self.header(bytes)? {
                Some(frame) => frame,
                None => return Ok(None),
            },
        };
        self.payload(&mut frame, bytes)?;
        if frame.left > 0 {
            self.frame = Some(frame);
            return Ok(None);
        }
        self.end_of(frame).map(Some)
    }

    /// Reads a header if it is complete.
    fn header(&mut self, bytes: &mut &[u8]) -> Result<Option<Frame>, Violation> {
        // At most 14 bytes, one at a time: cheap compared with the read that delivered them.
        while let Some((byte, rest)) = bytes.split_first() {
            *bytes = rest;
            self.pending.push(*byte);
            if let Some((frame, length)) = parse(&self.pending)? {
                self.pending = Vec::new();
                return self.begin(frame, length).map(Some);
            }
        }
        Ok(None)
    }

    /// Checks a new frame against the message in progress.
    fn begin(&mut self, mut frame: Frame, length: u64) -> Result<Frame, Violation> {
        match (frame.opcode, &self.message) {
            (Opcode::Continuation, None) => {
                return Err(Violation::Protocol("a continuation of nothing"));
            }
            (Opcode::Text | Opcode::Binary, Some(_)) => {
                return Err(Violation::Protocol("a new message inside another"));
            }
            (Opcode::Text | Opcode::Binary, None) => {
                let is_text = frame.opcode == Opcode::Text;
                self.message = Some(Message { is_text, data: Vec::new(), checked: 0 });
            }
            _ => {}
        }
        let length = usize::try_from(length).map_err(|_| Violation::TooLarge)?;
        if !frame.opcode.is_control() {
            let before = self.message.as_ref().map_or(0, |message| message.data.len());
            if length > self.message_bytes_max.saturating_sub(before) {
                return Err(Violation::TooLarge);
            }
        }
        frame.left = length;
        Ok(frame)
    }

    /// Consumes the available payload, unmasks and checks it.
    fn payload(&mut self, frame: &mut Frame, bytes: &mut &[u8]) -> Result<(), Violation> {
        let (taken, rest) = bytes.split_at(frame.left.min(bytes.len()));
        *bytes = rest;
        let target = match &mut self.message {
            Some(message) if !frame.opcode.is_control() => &mut message.data,
            _ => &mut self.control,
        };
        let start = target.len();
        target.extend_from_slice(taken);
        let mut mask = frame.mask;
        mask.rotate_left(frame.at);
        for chunk in target.get_mut(start..).unwrap_or_default().chunks_mut(mask.len()) {
            chunk.iter_mut().zip(mask).for_each(|(byte, mask)| *byte ^= mask);
        }
        frame.at = (frame.at + taken.len()) % mask.len();
        frame.left -= taken.len();
        match &mut self.message {
            Some(message) if !frame.opcode.is_control() => message.check(),
            _ => Ok(()),
        }
    }

    fn end_of(&mut self, frame: Frame) -> Result<Inbound, Violation> {
        match frame.opcode {
            Opcode::Ping => Ok(Inbound::Ping(std::mem::take(&mut self.control))),
            Opcode::Pong => Ok(Inbound::Pong(std::mem::take(&mut self.control))),
            Opcode::Close => close_code(&std::mem::take(&mut self.control)).map(Inbound::Close),
            _ if !frame.is_last => Ok(Inbound::Fragment),
            _ => match self.message.take() {
                Some(Message { is_text: false, data, .. }) => Ok(Inbound::Binary(data)),
                Some(Message { data, .. }) => {
                    String::from_utf8(data).map(Inbound::Text).map_err(|_| Violation::NotUtf8)
                }
                None => Err(Violation::Protocol("a frame of no message")),
            },
        }
    }
}

impl Message {
    /// Fails as soon as no continuation can make the text valid UTF-8.
    fn check(&mut self) -> Result<(), Violation> {
        if !self.is_text {
            return Ok(());
        }
        let unchecked = self.data.get(self.checked..).unwrap_or_default();
        match std::str::from_utf8(unchecked) {
            Ok(_) => self.checked = self.data.len(),
            Err(error) if error.error_len().is_none() => self.checked += error.valid_up_to(),
            Err(_) => return Err(Violation::NotUtf8),
        }
        Ok(())
    }
}

/// A header and the length of its payload, if the header is complete.
fn parse(bytes: &[u8]) -> Result<Option<(Frame, u64)>, Violation> {
    let [first, second, rest @ ..] = bytes else { return Ok(None) };
    if first & 0x70 != 0 {
        return Err(Violation::Protocol("reserved bits are set"));
    }
    let opcode = Opcode::from_bits(first & 0x0f).ok_or(Violation::Protocol("a reserved opcode"))?;
    if second & 0x80 == 0 {
        return Err(Violation::Protocol("a frame is not masked"));
    }
    let is_last = first & 0x80 != 0;
    let short = second & 0x7f;
    if opcode.is_control() && !is_last {
        return Err(Violation::Protocol("a fragmented control frame"));
    }
    if opcode.is_control() && usize::from(short) > CONTROL_BYTES_MAX {
        return Err(Violation::Protocol("a long control frame"));
    }
    let (length, mask) = match (short, rest) {
        (126, [a, b, mask @ ..]) => (u64::from(u16::from_be_bytes([*a, *b])), mask),
        (127, [a, b, c, d, e, f, g, h, mask @ ..]) => {
            (u64::from_be_bytes([*a, *b, *c, *d, *e, *f, *g, *h]), mask)
        }
        (126 | 127, _) => return Ok(None),
        (short, mask) => (u64::from(short), mask),
    };
    let [a, b, c, d] = mask else { return Ok(None) };
    // §5.2: the minimal number of bytes, with the most significant bit 0.
    let is_minimal = match short {
        126 => length > 125,
        127 => length > u64::from(u16::MAX) && length <= i64::MAX as u64,
        _ => true,
    };
    if !is_minimal {
        return Err(Violation::Protocol("a length in a form that is not allowed"));
    }
    let frame = Frame { is_last, opcode, left: 0, mask: [*a, *b, *c, *d], at: 0 };
    Ok(Some((frame, length)))
}

/// §7.4: the code, if it is one that may be sent.
fn close_code(payload: &[u8]) -> Result<Option<u16>, Violation> {
    match payload {
        [] => Ok(None),
        [high, low, reason @ ..] => {
            let code = u16::from_be_bytes([*high, *low]);
            if !matches!(code, 1000..=1003 | 1007..=1014 | 3000..=4999) {
                return Err(Violation::Protocol("a close code that may not be sent"));
            }
            std::str::from_utf8(reason).map_err(|_| Violation::NotUtf8)?;
            Ok(Some(code))
        }
        [_] => Err(Violation::Protocol("half a close code")),
    }
}

#[cfg(test)]
mod properties;
#[cfg(test)]
mod tests;
