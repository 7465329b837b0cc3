//! What is known of the live transactions.

use super::TransactionId;
use super::key::Key;
use super::machine::Machine;
use crate::time::Instant;

/// One live transaction, and where the indexes have it.
#[derive(Clone, Debug)]
pub(super) struct Record {
    pub(super) machine: Machine,
    pub(super) key: Key,
    pub(super) deadline: Option<Instant>,
}

/// Records in the order of their beginning. As identifiers only grow, a new one goes to the end, and one is found by
/// halving. Those that end leave gaps, which are closed when they outnumber the rest: a constant cost for each.
#[derive(Clone, Debug, Default)]
pub(super) struct Records {
    rows: Vec<(TransactionId, Option<Box<Record>>)>,
    live: usize,
}

/// So many that are gone are not worth cleaning up.
pub(super) const FEW: usize = 16;

impl Records {
    pub(super) fn len(&self) -> usize {
        self.live
    }

    /// Adds the record of a transaction that is younger than all others.
    pub(super) fn push(&mut self, id: TransactionId, record: Record) {
        self.rows.push((id, Some(Box::new(record))));
        self.live += 1;
    }

    pub(super) fn get(&self, id: TransactionId) -> Option<&Record> {
        let (_, record) = self.rows.get(self.find(id)?)?;
        record.as_deref()
    }

    pub(super) fn get_mut(&mut self, id: TransactionId) -> Option<&mut Record> {
        let at = self.find(id)?;
        let (_, record) = self.rows.get_mut(at)?;
        record.as_deref_mut()
    }

    pub(super) fn remove(&mut self, id: TransactionId) -> Option<Box<Record>> {
        let at = self.find(id)?;
        let (_, record) = self.rows.get_mut(at)?;
        let removed = record.take()?;
        self.live -= 1;
        if self.rows.len() > 2 * self.live + FEW {
            self.rows.retain(|(_, record)| record.is_some());
        }
        Some(removed)
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = (TransactionId, &Record)> {
        let rows = self.rows.iter();
        rows.filter_map(|(id, record)| Some((*id, record.as_deref()?)))
    }

    pub(super) fn iter_mut(&mut self) -> impl Iterator<Item = &mut Record> {
        self.rows
            .iter_mut()
            .filter_map(|(_, record)| record.as_deref_mut())
    }

    fn find(&self, id: TransactionId) -> Option<usize> {
        self.rows.binary_search_by_key(&id, |(known, _)| *known).ok()
    }
}

#[cfg(test)]
mod tests {
    #[cfg(target_family = "wasm")]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    use super::*;
    use crate::id::ConnectionId;
    use crate::sip::Message;
    use crate::transaction::Flow;
    use crate::transaction::key::client_key;
    use crate::transaction::non_invite_client::NonInviteClient;

    fn record() -> Record {
        let text =
            "OPTIONS sip:h SIP/2.0\r\nVia: SIP/2.0/WS a.invalid;branch=z9hG4bK1\r\nCSeq: 1 OPTIONS\r\n\r\n";
        let request = Message::parse(text.as_bytes().to_vec()).unwrap();
        let flow = Flow::reliable(ConnectionId(1));
        Record {
            key: client_key(&request).unwrap(),
            machine: Machine::NonInviteClient(NonInviteClient::new(Instant::ZERO, flow, request)),
            deadline: None,
        }
    }

    #[test]
    fn each_is_found_until_it_is_removed_whatever_gaps_there_are() {
        let mut records = Records::default();
        for number in 1..=100 {
            records.push(TransactionId(number), record());
        }
        for number in (1..=100).filter(|number| number % 10 != 0) {
            assert!(records.remove(TransactionId(number)).is_some());
            assert!(records.remove(TransactionId(number)).is_none());
            assert!(records.get(TransactionId(number)).is_none());
            assert!(records.rows.len() <= 2 * records.len() + FEW);
        }
        let left: Vec<u64> = records.iter().map(|(TransactionId(number), _)| number).collect();
        assert_eq!(left, [10, 20, 30, 40, 50, 60, 70, 80, 90, 100]);
        assert_eq!((records.len(), records.iter_mut().count()), (10, 10));
        assert!(records.get_mut(TransactionId(50)).is_some());
    }
}
