//! Part of all interleavings; `cargo xtask interleave` walks through the whole.

use clearline_model::interleaving::{Limits, Prepared, explore, ladder};

#[test]
fn every_prepared_state_is_left_well() {
    for from in Prepared::ALL {
        // Choices in a row, in a build without optimisation.
        let depth = from.depth / 2 - 1;
        let limits = Limits { depth, states: None };
        let explored = explore(from, limits);
        println!("{}: {explored}", from.name);
        if let Some((path, why)) = explored.violation {
            panic!("{}: {why}\n{}", from.name, ladder(from, &path).join("\n"));
        }
        assert_eq!(explored.depth, depth, "{}", from.name);
        assert!(
            explored.states > 20,
            "{}: there is more that can happen",
            from.name
        );
    }
}
