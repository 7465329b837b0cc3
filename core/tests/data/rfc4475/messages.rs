//! The messages, for whoever tests with them.

macro_rules! messages {
    ($($name:literal)*) => {
        /// All 49 messages by name.
        pub(crate) const ALL: &[(&str, &[u8])] =
            &[$(($name, include_bytes!(concat!($name, ".dat")))),*];
    };
}

messages! {
    "badaspec" "badbranch" "baddate" "baddn" "badinv01" "badvers" "bcast" "bext01" "bigcode" "clerr" "cparam01"
    "cparam02" "dblreq" "esc01" "esc02" "escnull" "escruri" "insuf" "intmeth" "inv2543" "invut" "longreq" "ltgtruri"
    "lwsdisp" "lwsruri" "lwsstart" "mcl01" "mismatch01" "mismatch02" "mpart01" "multi01" "ncl" "noreason" "novelsc"
    "quotbal" "regaut01" "regbadct" "regescrt" "scalar02" "scalarlg" "sdp01" "semiuri" "transports" "trws" "unkscm"
    "unksm2" "unreason" "wsinv" "zeromf"
}

/// The message with this name.
pub(crate) fn bytes(name: &str) -> &'static [u8] {
    ALL.iter()
        .find(|(own, _)| *own == name)
        .expect("one of the messages")
        .1
}
