//! Text is taken apart without a place where that could panic. `str` says in such a panic what it was to cut, and the tables
//! of Unicode that this takes are 5 kB of what a browser downloads; its search for a text is another kilobyte.

/// The two sides of a byte position. One that is none, behind the end or within a character, leaves all on the left.
#[inline]
pub(crate) fn at(text: &str, position: usize) -> (&str, &str) {
    text.split_at_checked(position).unwrap_or((text, ""))
}

/// What stands before the first `separator`, and the rest with it.
pub(crate) fn before(text: &str, separator: u8) -> (&str, &str) {
    at(
        text,
        memchr::memchr(separator, text.as_bytes()).unwrap_or(text.len()),
    )
}

/// The two sides of the first `mark`.
pub(crate) fn around<'a>(text: &'a str, mark: &str) -> Option<(&'a str, &'a str)> {
    let mut places = text.as_bytes().windows(mark.len());
    let (left, rest) = at(text, places.position(|place| place == mark.as_bytes())?);
    Some((left, rest.strip_prefix(mark)?))
}

/// Longest text for people that is taken over from the network, in bytes.
const MAX_TEXT: usize = 256;

/// What the network says at greater length is not for people.
pub(crate) fn bounded(text: &str) -> String {
    let end = text.floor_char_boundary(MAX_TEXT);
    text.get(..end).unwrap_or_default().to_owned()
}

#[cfg(test)]
mod tests {
    #[cfg(target_family = "wasm")]
    use wasm_bindgen_test::wasm_bindgen_test as test;

    use super::*;

    #[test]
    fn a_place_that_is_none_leaves_all_on_the_left() {
        assert_eq!(at("abc", 1), ("a", "bc"));
        assert_eq!(at("abc", 3), ("abc", ""));
        assert_eq!(at("abc", 4), ("abc", ""));
        assert_eq!(at("\u{e4}", 1), ("\u{e4}", ""));
    }

    #[test]
    fn the_separator_stays_with_the_rest() {
        assert_eq!(before("a;b;c", b';'), ("a", ";b;c"));
        assert_eq!(before("abc", b';'), ("abc", ""));
    }

    #[test]
    fn the_first_mark_is_left_out() {
        assert_eq!(around("a--b--c", "--"), Some(("a", "b--c")));
        assert_eq!(
            around("\u{20ac}]]>\u{20ac}", "]]>"),
            Some(("\u{20ac}", "\u{20ac}"))
        );
        assert_eq!(around("a-b", "--"), None);
        assert_eq!(around("", "--"), None);
    }
}
