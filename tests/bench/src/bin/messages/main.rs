//! Messages beside other SIP stacks: reading, typed access, and writing with one more Via, as every hop does.
//!
//! Each stack is handed the frame as a vector it may keep, looks at the same values, and puts a Via on top. A stack that
//! sees other values than the rest, or refuses the message, is said not to read it.

mod clearline;
mod ezk;
mod rsip_stack;
mod rsipstack_stack;
mod samples;

use std::fmt::Write as _;
use std::hint::black_box;

use clearline_bench::{grouped, instructions_each, keep_table, per_second};
use clearline_counting::{Counting, count};

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// The Via that is put on top.
const ADDED_VIA: &str = "SIP/2.0/WSS hop.example.com;branch=z9hG4bKadded0123456789";

/// What was seen in a message, as lengths and numbers, so that the proof of reading costs nothing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Seen {
    top_branch: usize,
    from_user: usize,
    from_tag: usize,
    to_user: usize,
    to_tag: usize,
    call_id: usize,
    cseq: u32,
    method: usize,
    contacts: usize,
    contact_host: usize,
    routes: usize,
    body: usize,
}

/// Why a stack does not read a message.
type Refusal = String;

/// Reads `frame`, looks at it, and writes it again with [`ADDED_VIA`]; what was seen and how long the result is.
type Round = fn(Vec<u8>) -> Result<(Seen, usize), Refusal>;

const STACKS: [(&str, Round); 4] = [
    ("Clearline", clearline::round),
    ("rsip 0.4.0", rsip_stack::round),
    ("rsipstack 0.7.14", rsipstack_stack::round),
    ("ezk-sip-types 0.6.5", ezk::round),
];

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match arguments.as_slice() {
        [sample, stack, count] => repeat(sample, stack, count),
        _ => report(),
    }
}

/// What valgrind watches.
fn repeat(sample: &str, stack: &str, count: &str) {
    let index = |text: &str| text.parse::<usize>().unwrap_or(0);
    let (_, frame) = samples::ALL[index(sample)];
    let (_, round) = STACKS[index(stack)];
    for _ in 0..index(count) {
        let _ = black_box(round(black_box(frame.as_bytes().to_vec())));
    }
}

fn report() {
    let mut table = String::from(
        "| message | stack | instructions | allocations | messages/s | against the fastest other: instructions, messages/s |\n\
         |---|---|---|---|---|---|\n",
    );
    let mut stable = String::from("| message | stack | instructions | allocations |\n|---|---|---|---|\n");
    for (at, (name, frame)) in samples::ALL.iter().enumerate() {
        let rows = measure(at, frame);
        let fastest = Fastest::of(&rows[1..]);
        for ((stack, _), row) in STACKS.iter().zip(&rows) {
            let _ = match row {
                Ok(row) => writeln!(
                    table,
                    "| {name} | {stack} | {} | {} | {} | {:.2}, {:.2} |",
                    row.shown_instructions(),
                    row.allocations,
                    grouped(row.per_second as u64),
                    row.instructions
                        .map_or(f64::NAN, |own| fastest.instructions / own as f64),
                    row.per_second / fastest.per_second
                ),
                Err(why) => writeln!(table, "| {name} | {stack} | cannot read it: {why} | | | |"),
            };
            let _ = match row {
                Ok(row) => writeln!(
                    stable,
                    "| {name} | {stack} | {} | {} |",
                    row.shown_instructions(),
                    row.allocations
                ),
                Err(why) => writeln!(stable, "| {name} | {stack} | cannot read it: {why} | |"),
            };
        }
    }
    println!("{table}");
    keep_table("messages.md", &stable);
}

struct Row {
    instructions: Option<u64>,
    allocations: u64,
    per_second: f64,
}

impl Row {
    fn shown_instructions(&self) -> String {
        self.instructions.map_or("no valgrind".to_owned(), grouped)
    }
}

/// The best figures of some stacks, not necessarily of the same one.
struct Fastest {
    instructions: f64,
    per_second: f64,
}

impl Fastest {
    fn of(rows: &[Result<Row, Refusal>]) -> Self {
        let rows = || rows.iter().flatten();
        Self {
            instructions: rows()
                .filter_map(|row| row.instructions)
                .fold(f64::INFINITY, |least, one| least.min(one as f64)),
            per_second: rows().map(|row| row.per_second).fold(0.0, f64::max),
        }
    }
}

/// One row per stack, for the sample at `at`.
fn measure(at: usize, frame: &str) -> Vec<Result<Row, Refusal>> {
    let mut rows: Vec<_> = STACKS
        .iter()
        .enumerate()
        .map(|(index, (_, round))| count_one(at, frame, index, *round))
        .collect();
    let mut works: Vec<_> = STACKS
        .map(|(_, round)| move || drop(black_box(round(black_box(frame.as_bytes().to_vec())))))
        .into();
    // A stack that refuses the message takes part in no race.
    let mut racing: Vec<&mut dyn FnMut()> = works
        .iter_mut()
        .zip(&rows)
        .filter(|(_, row)| row.is_ok())
        .map(|(work, _)| work as &mut dyn FnMut())
        .collect();
    let rates = per_second(&mut racing);
    for (row, rate) in rows.iter_mut().flatten().zip(rates) {
        row.per_second = rate;
    }
    rows
}

/// What can be counted of one stack, and whether it reads the message as the others do.
fn count_one(at: usize, frame: &str, index: usize, round: Round) -> Result<Row, Refusal> {
    let fresh = || frame.as_bytes().to_vec();
    let (seen, written) = round(fresh())?;
    let (wanted, _) = clearline::round(fresh())?;
    if seen != wanted {
        return Err(format!("sees {}", difference(&seen, &wanted)));
    }
    assert!(
        written >= frame.len() + ADDED_VIA.len(),
        "something is missing in what was written"
    );
    let frame = fresh();
    let (_, cost) = count(|| drop(black_box(round(frame))));
    Ok(Row {
        instructions: instructions_each(|count| vec![at.to_string(), index.to_string(), count.to_owned()]),
        allocations: cost.allocations,
        per_second: 0.0,
    })
}

/// The first field in which the two differ.
fn difference(seen: &Seen, wanted: &Seen) -> String {
    let (seen, wanted) = (format!("{seen:?}"), format!("{wanted:?}"));
    let mut fields = seen.split(", ").zip(wanted.split(", "));
    let (seen, wanted) = fields
        .find(|(one, other)| one != other)
        .unwrap_or(("nothing", "else"));
    format!("`{}` instead of `{}`", seen.trim(), wanted.trim())
}
