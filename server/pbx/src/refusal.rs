//! Why a request is answered by the platform itself and not with 2xx.

use clearline_core::sip::HeaderName;

/// A final response other than 2xx in the making.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Refusal {
    pub(crate) status: u16,
    /// In place of the standard reason phrase.
    pub(crate) reason: Option<&'static str>,
    pub(crate) headers: Vec<(HeaderName<'static>, String)>,
}

impl Refusal {
    pub(crate) fn new(status: u16) -> Self {
        Self {
            status,
            reason: None,
            headers: Vec::new(),
        }
    }

    pub(crate) fn because(mut self, reason: &'static str) -> Self {
        self.reason = Some(reason);
        self
    }

    pub(crate) fn with(mut self, name: HeaderName<'static>, value: impl Into<String>) -> Self {
        self.headers.push((name, value.into()));
        self
    }
}
