//! Writes the seeds of the corpus of the agent, ladders as people know them, and of media, for the fuzzer to start from.
//! `cargo run -p clearline-fuzz --example seeds`. The other targets start from the messages of RFC 4475 and from documents
//! in the manner of RFC 4235 and 4575.

use std::error::Error;
use std::fs;
use std::path::Path;

use Step::{
    Again, Broken, Close, Command, Deadline, Environment, Follow, Invite, Media, MediaEvent, Noise, Notify,
    Open, Pass,
};
use Step::{Request, Respond, Restart};
use clearline_fuzz::{Script, Step, Target};

const CALL: Step = Command(0, 0, 1);
const ANSWER: Step = Command(1, 0, 0);
const HANG_UP: Step = Command(2, 0, 0);
const HOLD: Step = Command(3, 0, 0);
const RESUME: Step = Command(4, 0, 0);
/// 200 with a description, from the first fork.
const OK: Step = Respond(0, 0, 8);
const RINGING: Step = Respond(0, 1, 0);
/// 202 to a REFER.
const ACCEPTED: Step = Respond(0, 21, 0);
/// All of somebody's dialogs, of which one can be pulled; all who are in a conference.
const DIALOGS: u8 = 0x18;
const USERS: u8 = 0x1b;
const NO_INVITE_BODY: u8 = 0xff;

fn main() -> Result<(), Box<dyn Error>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("corpus")
        .join(Target::Agent.name());
    fs::create_dir_all(&folder)?;
    for (name, setup, steps) in ladders() {
        fs::write(
            folder.join(format!("ladder-{name}")),
            Script::new(setup, steps).write(),
        )?;
    }
    let folder = folder.with_file_name(Target::Media.name());
    fs::create_dir_all(&folder)?;
    for codec in 0..5 {
        let script = clearline_fuzz::media_seed(codec, 7 + u32::from(codec));
        fs::write(folder.join(format!("call-{codec}")), script)?;
    }
    Ok(())
}

fn ladders() -> Vec<(&'static str, u8, Vec<Step>)> {
    let registered = || vec![Open, Respond(0, 4, 0), Respond(0, 0, 0)];
    let calling = || [registered(), vec![CALL, Media(0), RINGING]].concat();
    let in_call = || [calling(), vec![OK, Media(0), MediaEvent(0, 0)]].concat();
    let ringing = || [registered(), vec![Invite(0, 0, 0)]].concat();
    let called = || [ringing(), vec![ANSWER, Media(0), Follow(0, 0)]].concat();
    let then = |before: Vec<Step>, steps: &[Step]| [before, steps.to_vec()].concat();
    let watching = || then(registered(), &[Respond(0, 0, 0), Notify(0, DIALOGS, 0)]);
    let two_calls = || {
        then(
            called(),
            &[
                Invite(1, 0, 0),
                Command(9, 1, 0),
                Media(0),
                OK,
                Media(0),
                Media(0),
                Follow(1, 0),
            ],
        )
    };
    // Both calls move into a conference of the platform.
    let gathering = || {
        then(
            two_calls(),
            &[
                Command(22, 0, 1),
                Media(0),
                OK,
                Media(0),
                Respond(2, 0, 0),
                Notify(0, USERS, 0),
                ACCEPTED,
                Respond(1, 21, 0),
                Request(1, 5, 4),
            ],
        )
    };
    vec![
        (
            "register",
            0,
            then(registered(), &[Pass(500), Deadline, Noise(0), Deadline, Deadline]),
        ),
        (
            "refused-registration",
            0,
            vec![Open, Respond(0, 6, 0), Deadline, Deadline, Respond(0, 17, 7)],
        ),
        ("call", 0, then(in_call(), &[HANG_UP, Respond(0, 0, 0), Media(0)])),
        ("busy", 0, then(calling(), &[Respond(0, 6, 0), Media(0)])),
        (
            "cancel",
            0,
            then(calling(), &[HANG_UP, Respond(0, 0, 0), Respond(1, 7, 0)]),
        ),
        (
            "cancel-crosses-200",
            0,
            then(
                calling(),
                &[HANG_UP, Respond(1, 0, 8), Deadline, Respond(0, 0, 0)],
            ),
        ),
        (
            "forks",
            0,
            then(
                calling(),
                &[
                    Respond(0, 2, 9),
                    Media(0),
                    Respond(0, 0, 10),
                    Media(0),
                    Respond(1, 0, 9),
                    Media(0),
                ],
            ),
        ),
        (
            "hold",
            0,
            then(
                in_call(),
                &[
                    HOLD,
                    Media(0),
                    Respond(0, 0, 0x28),
                    Media(0),
                    RESUME,
                    Media(0),
                    OK,
                    Media(0),
                ],
            ),
        ),
        (
            "glare",
            0,
            then(
                in_call(),
                &[
                    HOLD,
                    Media(0),
                    Request(0, 1, 4),
                    Respond(0, 8, 0),
                    Media(0),
                    Deadline,
                    Media(0),
                    OK,
                ],
            ),
        ),
        (
            "challenge",
            0,
            then(
                registered(),
                &[CALL, Media(0), Respond(0, 5, 0), Respond(0, 5, 2), OK, Media(0)],
            ),
        ),
        ("redirect", 0, then(calling(), &[Respond(0, 10, 0), Media(0), OK])),
        ("answer", 0, then(called(), &[Request(0, 0, 0), Media(0)])),
        (
            "late-offer",
            0,
            then(
                registered(),
                &[
                    Invite(1, NO_INVITE_BODY, 0),
                    ANSWER,
                    Media(0),
                    Follow(0, 4),
                    Media(0),
                ],
            ),
        ),
        (
            "cancelled",
            0,
            then(ringing(), &[Follow(0, 1), Again(0), Media(0)]),
        ),
        (
            "busy-cancelled",
            0,
            then(ringing(), &[Command(5, 0, 0), Follow(0, 1), Deadline]),
        ),
        (
            "re-invite",
            0,
            then(
                called(),
                &[
                    Request(0, 1, 12),
                    Media(0),
                    Follow(0, 0),
                    Request(0, 1, 0),
                    Media(0),
                    Follow(0, 4),
                ],
            ),
        ),
        (
            "info-and-update",
            0,
            then(
                called(),
                &[
                    Request(0, 2, 0),
                    Request(0, 3, 4),
                    Media(0),
                    Request(0, 4, 0),
                    Request(0, 6, 0x88),
                ],
            ),
        ),
        (
            "second-call",
            0,
            then(
                called(),
                &[
                    Invite(1, 0, 0),
                    Command(9, 1, 0),
                    Media(0),
                    Media(0),
                    Follow(0, 0),
                    OK,
                    Media(0),
                ],
            ),
        ),
        (
            "end-and-answer",
            0,
            then(
                in_call(),
                &[
                    Invite(1, 0, 0),
                    Command(10, 1, 0),
                    Media(0),
                    Media(0),
                    Follow(0, 0),
                ],
            ),
        ),
        (
            "no-ack",
            2,
            then(ringing(), &[Media(0), Deadline, Deadline, Deadline, Pass(3_200)]),
        ),
        (
            "connection-lost",
            0,
            then(
                in_call(),
                &[
                    Close,
                    Deadline,
                    Open,
                    Respond(0, 0, 0),
                    Media(0),
                    OK,
                    Media(0),
                    HANG_UP,
                ],
            ),
        ),
        (
            "restart",
            0,
            then(
                in_call(),
                &[
                    Restart(2),
                    Open,
                    Respond(0, 0, 0),
                    Media(0),
                    OK,
                    Media(0),
                    Request(0, 0, 0),
                ],
            ),
        ),
        (
            "dtmf",
            0,
            then(
                in_call(),
                &[Command(7, 0, 2), Media(0), Deadline, Media(0), Deadline],
            ),
        ),
        (
            "post-dial",
            0,
            then(
                registered(),
                &[Command(0, 3, 1), Media(0), OK, Media(0), Deadline, Media(0)],
            ),
        ),
        (
            "no-microphone",
            0,
            then(registered(), &[CALL, Media(1), Deadline]),
        ),
        (
            "moved-media",
            0,
            then(in_call(), &[Command(8, 0, 0), Media(0), Media(0), OK, Media(0)]),
        ),
        (
            "media-lost",
            0,
            then(
                in_call(),
                &[MediaEvent(0, 2), Media(0), OK, MediaEvent(0, 5), MediaEvent(0, 6)],
            ),
        ),
        (
            "two-servers",
            8,
            vec![
                Close,
                Deadline,
                Close,
                Deadline,
                Open,
                Respond(0, 0, 0),
                Environment(1),
                Environment(0),
                Deadline,
            ],
        ),
        (
            "sleep",
            1,
            then(
                vec![Open],
                &[Pass(5_000), Respond(0, 0, 0), Environment(2), Deadline, Deadline],
            ),
        ),
        (
            "torn",
            0,
            then(
                called(),
                &[Broken(0, 3, 0), Broken(1, 60, 32), Broken(2, 90, 10), Again(2)],
            ),
        ),
        (
            "stopped",
            0,
            then(
                in_call(),
                &[
                    Command(12, 0, 0),
                    Respond(0, 0, 0),
                    Respond(1, 0, 2),
                    Command(13, 0, 0),
                    Open,
                ],
            ),
        ),
        (
            "remote-calls",
            32,
            then(
                watching(),
                &[
                    Notify(0, 0x20, 0),
                    Notify(0, 0x78, 0),
                    Notify(0, 0x30, 8),
                    Close,
                    Deadline,
                    Open,
                    Respond(0, 0, 0),
                    Deadline,
                ],
            ),
        ),
        (
            "pull",
            32,
            then(watching(), &[Command(27, 0, 1), Media(0), OK, Media(0), HANG_UP]),
        ),
        (
            "push",
            0,
            then(
                in_call(),
                &[
                    Command(26, 0, 0),
                    Media(0),
                    Respond(0, 0, 0x28),
                    Media(0),
                    ACCEPTED,
                    Invite(0, 0, 0),
                    Request(1, 5, 4),
                ],
            ),
        ),
        (
            "subscription",
            0,
            then(
                registered(),
                &[
                    Command(28, 0, 0),
                    Respond(0, 0, 0),
                    Notify(0, 6, 0),
                    Notify(0, 6, 3),
                    Deadline,
                    Respond(0, 0, 0),
                    Notify(0, 6, 0),
                    Command(29, 0, 0),
                    Respond(0, 0, 0),
                    Notify(0, 6, 2),
                ],
            ),
        ),
        (
            "conference",
            16,
            then(
                gathering(),
                &[
                    Command(24, 0, 0),
                    ACCEPTED,
                    Notify(0, 0x33, 0),
                    Command(23, 0, 0),
                    ACCEPTED,
                    Notify(0, 0x23, 0),
                    Notify(0, 0x4b, 2),
                    Close,
                    Deadline,
                    Open,
                    Respond(0, 0, 0),
                ],
            ),
        ),
        (
            "token",
            0,
            then(
                registered(),
                &[Command(30, 0, 2), Respond(0, 0, 0), Deadline, Deadline],
            ),
        ),
    ]
}
