//! Reads redundant audio (RFC 2198): the newest block last, older ones before it.

/// Blocks that are looked at; more are no audio call.
const MOST_BLOCKS: usize = 8;

/// One block of a redundant payload.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Block<'a> {
    pub(super) payload_type: u8,
    /// How many ticks before the packet's timestamp it begins; 0 for the primary one.
    pub(super) offset: u32,
    pub(super) payload: &'a [u8],
}

/// The blocks in the order of the payload: oldest first, the primary one last. `None` if they do not add up.
pub(super) fn blocks(payload: &[u8]) -> Option<impl DoubleEndedIterator<Item = Block<'_>>> {
    let mut headers = [(0_u8, 0_u32, 0_usize); MOST_BLOCKS];
    let (mut count, mut rest) = (0, payload);
    let primary = loop {
        // Section 3: the last header is one byte, its F bit zero.
        let (&first, after) = rest.split_first()?;
        if first & 0x80 == 0 {
            rest = after;
            break first & 0x7f;
        }
        let (&[offset_high, middle, length_low], after) = after.split_first_chunk()?;
        let offset = u32::from(offset_high) << 6 | u32::from(middle) >> 2;
        let length = usize::from(middle & 3) << 8 | usize::from(length_low);
        *headers.get_mut(count)? = (first & 0x7f, offset, length);
        count += 1;
        rest = after;
    };
    let copies: usize = headers.iter().map(|(_, _, length)| length).sum();
    // The primary block takes what is left.
    *headers.get_mut(count)? = (primary, 0, rest.len().checked_sub(copies)?);
    let mut begin = 0;
    let blocks = headers.map(|(payload_type, offset, length)| {
        let payload = rest.get(begin..begin + length).unwrap_or_default();
        begin += length;
        Block {
            payload_type,
            offset,
            payload,
        }
    });
    Some(blocks.into_iter().take(count + 1))
}

#[cfg(test)]
mod tests {
    #[cfg(target_family = "wasm")]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    use super::*;

    fn read(payload: &[u8]) -> Option<Vec<(u8, u32, Vec<u8>)>> {
        let plain = |block: Block<'_>| (block.payload_type, block.offset, block.payload.to_vec());
        blocks(payload).map(|blocks| blocks.map(plain).collect())
    }

    #[test]
    fn a_copy_and_the_primary_block() {
        // Type 111, 960 ticks earlier, 3 bytes; then type 111.
        let payload = [0x80 | 111, 15, 0x00, 3, 111, 1, 2, 3, 9, 8];
        let expected = vec![(111, 960, vec![1, 2, 3]), (111, 0, vec![9, 8])];
        assert_eq!(read(&payload), Some(expected));
    }

    #[test]
    fn only_a_primary_block() {
        assert_eq!(read(&[111, 1, 2]), Some(vec![(111, 0, vec![1, 2])]));
        assert_eq!(read(&[111]), Some(vec![(111, 0, vec![])]));
    }

    #[test]
    fn what_does_not_add_up_is_refused() {
        assert_eq!(read(&[]), None);
        assert_eq!(read(&[0x80 | 111, 15]), None, "half a header");
        assert_eq!(
            read(&[0x80 | 111, 15, 0, 3, 111, 1, 2]),
            None,
            "a block longer than the payload"
        );
        assert_eq!(read(&[0xff; 65_507]), None, "headers without an end");
        let many: Vec<u8> = [0x80 | 111, 0, 0, 0]
            .repeat(MOST_BLOCKS)
            .into_iter()
            .chain([111])
            .collect();
        assert_eq!(read(&many), None, "more blocks than an audio call has");
    }
}
