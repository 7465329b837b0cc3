//! INFO: packages (RFC 6086), and tones as they were sent before there were any (RFC 2976).

use super::{Call, Endpoint, HeaderName, Message, dtmf, trickle};
use crate::endpoint::RECV_INFO;
use crate::event::Event;
use crate::transaction::TransactionId;

impl Call {
    pub(super) fn info_received(
        &mut self,
        endpoint: &mut Endpoint,
        transaction: TransactionId,
        request: &Message,
    ) {
        match request.header(HeaderName::InfoPackage).map(package_name) {
            None => self.legacy_info(endpoint, transaction, request),
            Some(package) if package.eq_ignore_ascii_case(trickle::PACKAGE) => {
                let status = self.candidates_received(endpoint, request);
                let response = endpoint.response(request, status).build();
                endpoint.respond(transaction, response);
            }
            // Section 4.2.2: one that was not asked for.
            Some(_) => {
                let refusal = endpoint.response(request, 469);
                let refusal = refusal.header(HeaderName::RecvInfo, RECV_INFO).build();
                endpoint.respond(transaction, refusal);
            }
        }
    }

    /// Without a package any INFO is accepted (section 9), and tones are understood.
    fn legacy_info(&mut self, endpoint: &mut Endpoint, transaction: TransactionId, request: &Message) {
        let ok = endpoint.response(request, 200).build();
        endpoint.respond(transaction, ok);
        if let Some(tone) = dtmf::tone_in_info(request) {
            endpoint.emit(Event::DtmfReceived {
                call: self.id(),
                tone,
            });
        }
    }
}

fn package_name(value: &str) -> &str {
    value.split(';').next().unwrap_or(value).trim()
}
