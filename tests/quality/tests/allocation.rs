//! The playout engine allocates when it is made and never again, whatever the network does.

use clearline_core::{Duration, Instant};
use clearline_counting::{Counting, count};
use clearline_quality::engine::Make;
use clearline_quality::kind::Kind;
use clearline_quality::replay::arrivals;
use clearline_quality::stream::{Redundancy, Stream};
use clearline_quality::{FRAME, PULL};

#[global_allocator]
static ALLOCATOR: Counting = Counting;

const PACKETS: usize = 1_000;

#[test]
fn nothing_is_allocated_while_audio_is_played() {
    // A tone that comes and goes, so that there is something to stretch and something to conceal.
    let tone = |n: usize| ((n as f32 * 0.026).sin() * (n as f32 * 0.000_1).sin() * 9_000.0) as i16;
    let stream = Stream::encode((0..PACKETS * FRAME).map(tone), Redundancy::InBand).expect("a codec");
    for kind in [Kind::Clean, Kind::Loss10, Kind::Spikes, Kind::Wifi, Kind::Mobile] {
        let trace = kind.trace(kind.usual_seed());
        let arrivals = arrivals(&trace, &stream.payloads);
        let mut engine = Make::Playout.start().expect("a codec");
        let ((), cost) = count(|| {
            let mut arrivals = arrivals.iter().peekable();
            let mut output = [0; PULL];
            for pull in 0..2 * PACKETS as u64 {
                let now = Instant::ZERO + Duration::from_millis(10 * pull);
                while let Some((arrived, packet)) = arrivals.next_if(|(arrived, _)| *arrived <= now) {
                    engine.insert(*arrived, packet);
                }
                engine.pull(now, &mut output);
            }
        });
        assert_eq!(cost.allocations, 0, "{}", kind.name());
        assert!(engine.statistics().concealed > 0 || kind == Kind::Clean);
    }
}
