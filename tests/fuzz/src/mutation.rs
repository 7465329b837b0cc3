//! Mutations that keep a text made of lines a text made of lines, and one made of tags one made of tags.
//!
//! A blind mutation of a message mostly breaks its framing, and what lies behind is never reached. These take and place
//! whole lines and parts of them, and put Content-Length right.

use clearline_core::Rng;

/// Lines of messages: every header that is read, as it is sent and as it should not be.
pub(crate) const HEADERS: &[&str] = &[
    "Via: SIP/2.0/WSS a.invalid:443;branch=z9hG4bKx;rport;received=192.0.2.1",
    "v: SIP / 2.0 / UDP [2001:db8::1] : 5060 ; branch = z9hG4bKy , SIP/2.0/TCP b;branch=;ttl=1",
    "From: \"A \\\"b\\\" c\" <sip:alice@example.com;transport=ws?x=y>;tag=1",
    "f: sip:alice@example.com;tag=1;tag=2",
    "To: Bob <sips:%62ob:pw@[2001:db8::2]:5061;lr;maddr=h>",
    "t: tel:+49-89-1;phone-context=example.com;tag=x",
    "Contact: *",
    "m: <sip:a@h.invalid;gr=urn:uuid:1;ob>;reg-id=1;+sip.instance=\"<urn:uuid:1>\";expires=60;q=0.5, <sip:b@h>",
    "Call-ID: c1@h",
    "CSeq: 4294967295 INVITE",
    "Max-Forwards: 0",
    "Route: <sip:p1;lr>, <sip:p2;lr>;x=\"a,b\"",
    "Record-Route: <sip:p1;lr>,,<sip:p2;lr>",
    "Path: <sip:edge;lr;ob>",
    "Service-Route: <sip:home;lr>",
    "Expires: 4294967296",
    "Min-Expires: 60",
    "Retry-After: 120 (busy) ;duration=60",
    "Reason: SIP;cause=200;text=\"Call completed elsewhere\", Q.850;cause=16",
    "WWW-Authenticate: Digest realm=\"h\", nonce=\"n\", algorithm=SHA-256, qop=\"auth,auth-int\", opaque=\"\", stale=true",
    "Proxy-Authenticate: Bearer realm=\"h\", scope=\"a b\"",
    "Authorization: Digest username=\"a\", realm=\"h\", nonce=\"n\", uri=\"sip:h\", response=\"0\", nc=00000001, cnonce=\"c\", qop=auth",
    "Content-Type: multipart/mixed;boundary=\"a b\"",
    "c: application/sdp",
    "Content-Length: 0",
    "l: 99999999999999999999",
    "Content-Disposition: session;handling=required",
    "Require: 100rel, timer",
    "k: outbound,gruu,replaces",
    "Refer-To: <sip:c@h?Replaces=c1%3Bto-tag%3D1%3Bfrom-tag%3D2&Require=x>",
    "Replaces: c1;to-tag=1;from-tag=2;early-only",
    "Session-Expires: 1800;refresher=uac",
    "Min-SE: 90",
    "RSeq: 1",
    "RAck: 1 1 INVITE",
    "Event: dialog;id=1",
    "Subscription-State: terminated;reason=noresource;retry-after=5",
    "P-Asserted-Identity: \"C\" <sip:c@h>, <tel:+1>",
    "Diversion: <sip:d@h>;reason=unconditional;counter=1",
    "History-Info: <sip:d@h?Reason=SIP%3Bcause%3D302>;index=1;rc=1",
    "Warning: 399 h \"text\"",
    "Subject: a",
    "\t folded",
    " : x",
];

/// Lines of session descriptions.
pub(crate) const DESCRIPTION: &[&str] = &[
    "v=0",
    "o=- 4611686018427387904 18446744073709551615 IN IP6 ::1",
    "s=-",
    "t=0 0",
    "c=IN IP4 0.0.0.0",
    "c=IN IP6 2001:db8::1/127",
    "a=group:BUNDLE 0 1",
    "a=ice-lite",
    "a=sendonly",
    "a=inactive",
    "m=audio 9 UDP/TLS/RTP/SAVPF 111 0 8 101 255 256",
    "m=audio 0 RTP/AVP 0",
    "m=video 9/2 RTP/SAVP 96",
    "m=application 9 UDP/DTLS/SCTP webrtc-datachannel",
    "a=rtpmap:111 opus/48000/2",
    "a=rtpmap:0 PCMU/0",
    "a=rtpmap:101 telephone-event/8000",
    "a=fmtp:111 minptime=10;useinbandfec=1",
    "a=fingerprint:sha-256 AB:CD",
    "a=setup:actpass",
    "a=ice-ufrag:x",
    "a=ice-pwd:0123456789abcdef012345",
    "a=ice-options:trickle renomination",
    "a=candidate:1 1 udp 4294967295 x.local 65536 typ host",
    "a=candidate:2 1 UDP 1 2001:db8::1 9 typ srflx raddr 192.0.2.1 rport 9 generation 0",
    "a=end-of-candidates",
    "a=crypto:1 AES_CM_128_HMAC_SHA1_80 inline:abc|2^20|1:4",
    "a=mid:0",
    "a=rtcp-mux",
    "a=ptime:20",
    "b=AS:64",
];

/// Values of headers.
pub(crate) const VALUES: &[&str] = &[
    "Digest realm=\"h\", nonce=\"n\", algorithm=MD5, qop=\"auth\"",
    "Digest realm=\"a\\\"b\", nonce=\"n,=\", algorithm=SHA-256, qop=\"auth-int\", opaque=\"o\", stale=false, domain=\"sip:h\"",
    "digest realm=\"h\",nonce=\"\"",
    "Bearer realm=\"h\", error=\"invalid_token\"",
    "Digest username=\"alice\", realm=\"example.com\", nonce=\"n\", uri=\"sip:h\", response=\"00\", algorithm=MD5, nc=0000000g, qop=auth, cnonce=\"\"",
    "sip:%61lice@EXAMPLE.com:5060;transport=ws;Method=INVITE?Subject=a&b=%20",
    "sip:alice@example.com;lr;transport=WS?subject=A&b=%20",
    "sips:[::ffff:192.0.2.1]",
    "tel:+49-89-(1);ext=2;isub=3",
    "tel:101;phone-context=example.com",
    "+49 (0)89 12-34,,56#",
    "\"N\\\\\" <sip:a@h>;p=\"q;\";tag=t",
    "application/sdp;charset=\"utf-8\"",
    "multipart/mixed;boundary=\"--a\"",
    "SIP/2.0/WSS [::1]:443;branch=z9hG4bK;rport=65536",
    "100,42",
    "*",
];

/// Tags and texts of documents.
pub(crate) const XML: &[&str] = &[
    "<?xml version=\"1.0\" encoding='UTF-8' standalone=\"yes\"?>",
    "<!DOCTYPE a [<!ENTITY b 'c'>]>",
    "<!-- a -- b -->",
    "<?a b?>",
    "<![CDATA[<&]]>",
    "<dialog-info xmlns=\"urn:ietf:params:xml:ns:dialog-info\" version=\"1\" state=\"partial\" entity=\"sip:a@h\">",
    "<d:dialog-info xmlns:d='urn:ietf:params:xml:ns:dialog-info' version='4294967295' state='full'>",
    "<dialog id=\"1\" call-id=\"c&amp;\" local-tag=\"l\" remote-tag=\"r\" direction=\"initiator\">",
    "<d:dialog id='2' direction='recipient'>",
    "<state event=\"remote-bye\" code=\"200\">terminated</state>",
    "<d:state>early</d:state>",
    "<duration>274</duration>",
    "<replaces call-id='c' local-tag='l' remote-tag='r'/>",
    "<local>",
    "<identity display=\"&quot;A&#x20;&#66;&quot;\">sip:a@h</identity>",
    "<target uri=\"sip:a@d\"><param pname=\"+sip.rendering\" pval=\"no\"/></target>",
    "</local>",
    "<remote/>",
    "<device xmlns=\"urn:clearline:dialog-device\">D</device>",
    "</dialog>",
    "</d:dialog>",
    "</dialog-info>",
    "<conference-info xmlns=\"urn:ietf:params:xml:ns:conference-info\" entity=\"sip:c@h\" state=\"partial\" version=\"2\">",
    "<conference-description><subject>S</subject><maximum-user-count>8</maximum-user-count></conference-description>",
    "<conference-state><user-count>3</user-count><active>true</active><locked>0</locked></conference-state>",
    "<users state=\"partial\">",
    "<user entity=\"sip:b@h\" state=\"deleted\">",
    "<display-text>B</display-text>",
    "<roles><entry>moderator</entry></roles>",
    "<endpoint entity=\"sip:b@e\" state='partial'>",
    "<status>muted-via-focus</status>",
    "<media id=\"1\"><type>audio</type><status>sendrecv</status></media>",
    "</endpoint>",
    "</user>",
    "</users>",
    "</conference-info>",
    "<x xmlns='' xmlns:y='u' y:z='1'>",
    "</x>",
    "&lt;&#1114111;&#xd800;]]>",
    // Between two documents.
    "\0",
];

/// Where parts of a value begin and end.
const SEPARATORS: &[u8] = b",;=<>\"@:/ ?&%|()";

/// One structured change to `data`; `None` in one case of four, for blind mutations to have their turn.
pub(crate) fn lines(data: &[u8], max: usize, seed: u32, pool: &[&str]) -> Option<Vec<u8>> {
    let mut dice = Dice::new(seed);
    if dice.below(4) == 0 {
        return None;
    }
    let (head, body) = split_head(data);
    let mut lines: Vec<Vec<u8>> = head.split(|byte| *byte == b'\n').map(<[u8]>::to_vec).collect();
    for _ in 0..=dice.below(3) {
        change(&mut lines, pool, b"\r", &mut dice);
    }
    if dice.below(2) == 0 {
        put_length_right(&mut lines, body.len());
    }
    let mutated = [&lines.join(&b'\n')[..], body].concat();
    (mutated.len() <= max && !mutated.is_empty()).then_some(mutated)
}

/// The same for documents: what lies between two tags, or is one, counts as a line.
pub(crate) fn tags(data: &[u8], max: usize, seed: u32, pool: &[&str]) -> Option<Vec<u8>> {
    let mut dice = Dice::new(seed);
    if dice.below(4) == 0 {
        return None;
    }
    let is_edge = |one: &u8, other: &u8| *one == b'>' || *other == b'<';
    let mut tags: Vec<Vec<u8>> = data
        .chunk_by(|one, other| !is_edge(one, other))
        .map(<[u8]>::to_vec)
        .collect();
    if tags.is_empty() {
        tags.push(Vec::new());
    }
    for _ in 0..=dice.below(3) {
        change(&mut tags, pool, b"", &mut dice);
    }
    let mutated = tags.concat();
    (mutated.len() <= max && !mutated.is_empty()).then_some(mutated)
}

/// Before and from the empty line on.
fn split_head(data: &[u8]) -> (&[u8], &[u8]) {
    let end = data
        .windows(4)
        .position(|it| it == b"\r\n\r\n")
        .unwrap_or(data.len());
    data.split_at(end)
}

fn change(lines: &mut Vec<Vec<u8>>, pool: &[&str], ending: &[u8], dice: &mut Dice) {
    let at = dice.below(lines.len());
    let other = dice.below(lines.len());
    match dice.below(8) {
        0 => lines.insert(at, [dice.of(pool).as_bytes(), ending].concat()),
        1 => lines[at] = [dice.of(pool).as_bytes(), ending].concat(),
        2 if lines.len() > 1 => drop(lines.remove(at)),
        3 => lines.insert(at, lines[other].clone()),
        4 => lines.swap(at, other),
        5 => replace_part(&mut lines[at], dice.of(pool).as_bytes(), dice),
        6 => {
            let source = lines[other].clone();
            replace_part(&mut lines[at], &source, dice);
        }
        _ => drop_part(&mut lines[at], dice),
    }
}

/// Puts a part of another line in the place of a part of this.
fn replace_part(line: &mut Vec<u8>, source: &[u8], dice: &mut Dice) {
    let (from, to) = part(line, dice);
    let (start, end) = part(source, dice);
    line.splice(from..to, source[start..end].iter().copied());
}

fn drop_part(line: &mut Vec<u8>, dice: &mut Dice) {
    let (from, to) = part(line, dice);
    line.drain(from..to);
}

/// A part of a line between two separators.
fn part(line: &[u8], dice: &mut Dice) -> (usize, usize) {
    let is_edge = |at: &usize| SEPARATORS.contains(&line[*at]);
    let edges: Vec<usize> = [0]
        .into_iter()
        .chain((0..line.len()).filter(is_edge))
        .chain([line.len()])
        .collect();
    let first = dice.below(edges.len() - 1);
    let last = first + 1 + dice.below((edges.len() - first - 1).min(3));
    (edges[first], edges[last.min(edges.len() - 1)])
}

fn put_length_right(lines: &mut [Vec<u8>], body: usize) {
    // The body begins behind CR LF CR LF.
    let length = body.saturating_sub(4);
    for line in lines {
        if line.to_ascii_lowercase().starts_with(b"content-length:") {
            *line = format!("Content-Length: {length}\r").into_bytes();
        }
    }
    // The last line's CR belongs to the empty line that follows.
}

/// Chance, determined by a seed.
pub(crate) struct Dice(Rng);

impl Dice {
    pub(crate) fn new(seed: u32) -> Self {
        let mut bytes = [0; 32];
        bytes[..4].copy_from_slice(&seed.to_le_bytes());
        Self(Rng::new(bytes))
    }

    /// A number below `bound`, or 0 if that is 0.
    pub(crate) fn below(&mut self, bound: usize) -> usize {
        let drawn = self.0.next_u64() % (bound.max(1) as u64);
        usize::try_from(drawn).unwrap_or(0)
    }

    pub(crate) fn of<'a>(&mut self, all: &[&'a str]) -> &'a str {
        all[self.below(all.len())]
    }
}
