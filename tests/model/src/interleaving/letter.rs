//! One message on its way.

use clearline_core::sip::Message;

use super::form::Form;

/// A message, and what is known about it once and for all.
#[derive(Debug)]
pub(super) struct Letter {
    pub(super) bytes: Vec<u8>,
    /// What its `Debug` text calls it.
    pub(super) number: u64,
    pub(super) form: Form,
}

impl Letter {
    pub(super) fn new(bytes: Vec<u8>) -> Self {
        let form = Form::of_message(&String::from_utf8_lossy(&bytes));
        let mut letter = Self {
            bytes,
            number: 0,
            form,
        };
        letter.number = letter
            .message()
            .map_or(0, |message| number(&format!("{message:?}")));
        letter
    }

    pub(super) fn message(&self) -> Option<Message> {
        Message::parse(self.bytes.as_slice()).ok()
    }

    /// `INVITE`, `200 INVITE`.
    pub(super) fn title(&self) -> String {
        let Some(message) = self.message() else {
            return "?".to_owned();
        };
        match message.status() {
            Some(status) => format!("{status} {}", message.method()),
            None => message.method().to_string(),
        }
    }
}

fn number(debug: &str) -> u64 {
    let digits = debug
        .rsplit_once('#')
        .map_or("", |(_, digits)| digits.trim_end_matches(')'));
    u64::from_str_radix(digits, 16).unwrap_or_default()
}
