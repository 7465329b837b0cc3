//! What `Debug` shows of text that belongs into no log.

use std::fmt;

/// Stands for bytes that are not to be shown: equal bytes, equal number. Only for those that hold something random, so
/// that nobody finds them by trying.
pub(crate) struct Fingerprint(u64);

impl Fingerprint {
    /// Of all `parts`, one after the other (FNV-1a, the same on every machine).
    pub(crate) fn of<'a>(parts: impl IntoIterator<Item = &'a [u8]>) -> Self {
        let bytes = parts.into_iter().flatten();
        Self(bytes.fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
            (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3)
        }))
    }
}

impl fmt::Debug for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "#{:016x}", self.0)
    }
}

#[cfg(test)]
mod tests {
    #[cfg(target_family = "wasm")]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    use super::*;

    #[test]
    fn equal_bytes_have_equal_fingerprints_and_others_do_not() {
        let shown = |parts: &[&[u8]]| format!("{:?}", Fingerprint::of(parts.iter().copied()));
        assert_eq!(shown(&[]), "#cbf29ce484222325");
        assert_eq!(shown(&[b"a", b"b"]), shown(&[b"ab"]));
        assert_ne!(shown(&[b"ab"]), shown(&[b"ba"]));
    }
}
